# SPDX-License-Identifier: Apache-2.0
"""Softmax over any dimension, in three dimensions with that one last."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from model_profiling.export.rewrite import FLOATS, Rewrite

if TYPE_CHECKING:
    import torch

    from model_profiling.export.graph_editor import GraphEditor


def edit(editor: GraphEditor, node: torch.fx.Node) -> bool:
    from model_profiling.models import export_friendly_functions as functions

    arguments: tuple[Any, ...] = node.args
    x, dim = arguments[:2]
    shape = x.meta["val"].shape
    asked = arguments[2] if len(arguments) > 2 and not isinstance(arguments[2], bool) else node.kwargs.get("dtype")
    if asked not in (None, node.meta["val"].dtype) or x.meta["val"].dtype != node.meta["val"].dtype or not shape:
        return False
    if dim % len(shape) == len(shape) - 1 and len(shape) <= 3:
        return False  # taken as it is
    return editor.replace(node, lambda x: functions.softmax(x, dim), x)


REWRITE = Rewrite(
    name="softmax",
    rank=110,
    replaces="aten.softmax and aten._softmax over another dimension than the last, or of four dimensions and more",
    operators=("aten.softmax.int", "aten._softmax.default"),
    dtypes=FLOATS,
    bound=(1e-6, 2e-3),
    saves="One operator outside; of four dimensions after a convolution XNNPACK's own is wrong in this release.",
    edit=edit,
    hints=("softmax dim",),
)
