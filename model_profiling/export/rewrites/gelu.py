# SPDX-License-Identifier: Apache-2.0
"""GELU from a sigmoid, in float16, where XNNPACK has none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from model_profiling.export.rewrite import Rewrite

if TYPE_CHECKING:
    import torch

    from model_profiling.export.graph_editor import GraphEditor


def edit(editor: GraphEditor, node: torch.fx.Node) -> bool:
    from model_profiling.models import export_friendly_functions as functions

    numbers = [editor.number(value, node) for value in (functions.GELU_LINEAR, functions.GELU_CUBIC)]
    return editor.replace(node, functions.tanh_gelu, node.args[0], *numbers)


REWRITE = Rewrite(
    name="gelu",
    rank=80,
    replaces="aten.gelu, exact or approximate='tanh'",
    operators=("aten.gelu.default",),
    dtypes=("float16",),
    bound=(5e-4, 5e-3),
    saves="One operator outside for each activation in float16; at most 5e-4 from the exact GELU.",
    edit=edit,
    hints=("gelu in fp16",),
)
