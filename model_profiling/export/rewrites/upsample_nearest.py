# SPDX-License-Identifier: Apache-2.0
"""Nearest upsampling by whole factors, as products with ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from model_profiling.export.rewrite import FLOATS, Rewrite

if TYPE_CHECKING:
    import torch

    from model_profiling.export.graph_editor import GraphEditor


def edit(editor: GraphEditor, node: torch.fx.Node) -> bool:
    import torch

    from model_profiling.models import export_friendly_functions as functions

    source = node.all_input_nodes[0]
    (high, wide), (h, w) = node.meta["val"].shape[2:], source.meta["val"].shape[2:]
    if high % h or wide % w:
        return False
    dtype = node.meta["val"].dtype
    across, down = torch.ones(1, 1, 1, wide // w, dtype=dtype), torch.ones(1, 1, high // h, 1, dtype=dtype)
    return editor.replace(node, functions.upsample_nearest, source, across, down)


REWRITE = Rewrite(
    name="upsample-nearest",
    rank=130,
    replaces="aten.upsample_nearest2d by whole factors",
    operators=("aten.upsample_nearest2d.vec", "aten.upsample_nearest2d.default"),
    dtypes=FLOATS,
    bound=(0.0, 0.0),
    saves="One operator outside and one split of the graph; not always faster, so measure both.",
    edit=edit,
    hints=("nearest upsampling",),
)
