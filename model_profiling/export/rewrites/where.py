# SPDX-License-Identifier: Apache-2.0
"""A choice by a mask as arithmetic: a product with the mask's numbers, and a sum."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from model_profiling.export.masks import finite, numbers
from model_profiling.export.rewrite import FLOATS, Rewrite
from model_profiling.models.graph_places import operator_of

if TYPE_CHECKING:
    import torch

    from model_profiling.export.graph_editor import GraphEditor


def edit(editor: GraphEditor, node: torch.fx.Node) -> bool:
    import torch

    from model_profiling.models import export_friendly_functions as functions

    arguments: tuple[Any, ...] = node.args
    condition, true, false = arguments
    if "masked_fill" in operator_of(node):
        true, condition, false = condition, true, false
        mask = numbers(editor, condition, node)
        keep = None if mask is None else editor.insert(node, torch.sub, editor.number(1.0, node), mask)
    else:
        keep = numbers(editor, condition, node)
    if keep is None:
        return False
    sides = [_side(editor, one, node) for one in (true, false)]
    if any(side is None or side.meta["val"].dtype != node.meta["val"].dtype for side in sides):
        return False
    made = editor.insert(node, functions.chosen, sides[0], sides[1], keep, editor.number(1.0, node))
    shape = node.meta["val"].shape
    if made.meta["val"].shape != shape:  # both sides and the mask were left to broadcasting
        made = editor.insert(node, torch.mul, made, torch.ones(shape, dtype=node.meta["val"].dtype))
    editor.put(node, made)
    return True


def _side(editor: GraphEditor, side: object, node: torch.fx.Node) -> torch.fx.Node | None:
    """Return a side of the choice as a node of finite values: 0 times an infinity is no number."""
    import torch

    dtype = node.meta["val"].dtype
    if isinstance(side, (int, float)):
        return editor.constant(torch.tensor(finite(float(side), dtype), dtype=dtype))
    if not isinstance(side, torch.fx.Node):
        return None
    stored = editor.value_of(side)
    if stored is None:
        return side
    low, high = finite(float("-inf"), dtype), finite(float("inf"), dtype)
    return editor.constant(stored.to(dtype).clamp(low, high))


REWRITE = Rewrite(
    name="where",
    rank=40,
    replaces="aten.where and aten.masked_fill by a constant mask, or one made of whole numbers",
    operators=(
        "aten.where.self",
        "aten.where.ScalarOther",
        "aten.where.ScalarSelf",
        "aten.where.Scalar",
        "aten.masked_fill.Scalar",
        "aten.masked_fill.Tensor",
    ),
    dtypes=FLOATS,
    bound=(0.0, 0.0),
    saves="Takes a choice by a mask in; an infinity to fill with becomes the largest number of the type.",
    edit=edit,
)
