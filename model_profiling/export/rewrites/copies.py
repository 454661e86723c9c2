# SPDX-License-Identifier: Apache-2.0
"""Copies that change nothing: what dropout leaves behind, contiguous(), conversions to the type that is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from model_profiling.export.rewrite import FLOATS, Rewrite

if TYPE_CHECKING:
    import torch

    from model_profiling.export.graph_editor import GraphEditor


def edit(editor: GraphEditor, node: torch.fx.Node) -> bool:
    source = node.all_input_nodes[0]
    if source.meta["val"].dtype != node.meta["val"].dtype or source.meta["val"].shape != node.meta["val"].shape:
        return False
    if source.op == "placeholder" or any(user.op == "output" for user in node.users):
        return False  # a program's outputs are no inputs of it
    editor.put(node, source)
    return True


REWRITE = Rewrite(
    name="copies",
    rank=20,
    replaces="aten.clone and aten._to_copy to the same type, whatever order of dimensions they ask for",
    operators=("aten.clone.default", "aten._to_copy.default", "aten.lift_fresh_copy.default"),
    dtypes=FLOATS,
    bound=(0.0, 0.0),
    saves="Drops copies, also those to another order of dimensions (channels_last), which XNNPACK chooses by itself.",
    edit=edit,
    hints=("memory format",),
)
