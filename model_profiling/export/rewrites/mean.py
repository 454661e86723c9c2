# SPDX-License-Identifier: Apache-2.0
"""Means over any dimensions, as a mean over the last two of four."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from model_profiling.export.rewrite import FLOATS, Rewrite

if TYPE_CHECKING:
    import torch

    from model_profiling.export.graph_editor import GraphEditor


def edit(editor: GraphEditor, node: torch.fx.Node) -> bool:
    from model_profiling.models import export_friendly_functions as functions

    arguments: list[Any] = [*node.args, *[None] * 3]
    x, dims, keepdim = arguments[0], arguments[1], bool(arguments[2] or node.kwargs.get("keepdim"))
    rank = x.meta["val"].dim()
    if x.meta["val"].dtype != node.meta["val"].dtype or not rank:
        return False
    dims = tuple(dims) if dims else tuple(range(rank))
    if rank == 4 and keepdim and sorted(dim % rank for dim in dims) == [2, 3]:
        return False  # taken as it is
    return editor.replace(node, lambda x: functions.mean(x, dims, keepdim), x)


REWRITE = Rewrite(
    name="mean",
    rank=120,
    replaces="aten.mean over other dimensions than the last two of four, or without keepdim",
    operators=("aten.mean.dim", "aten.mean.default"),
    dtypes=FLOATS,
    bound=(1e-5, 1e-2),
    saves="One operator outside for each mean; dimensions that are not last are transposed first.",
    edit=edit,
    hints=("mean without keepdim", "mean of another rank", "mean of other dimensions"),
)
