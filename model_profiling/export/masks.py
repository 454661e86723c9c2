# SPDX-License-Identifier: Apache-2.0
"""Masks as numbers: XNNPACK has no truth values, and a mask of an attention starts as whole numbers or constants."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, cast

from model_profiling.models.graph_places import operator_of

if TYPE_CHECKING:
    import torch

    from model_profiling.export.graph_editor import GraphEditor

_AND = ("aten.__and__.Tensor", "aten.bitwise_and.Tensor", "aten.logical_and.default", "aten.mul.Tensor")
_OR = ("aten.__or__.Tensor", "aten.bitwise_or.Tensor", "aten.logical_or.default")
_NOT = ("aten.bitwise_not.default", "aten.logical_not.default")
_VIEWS = (
    "aten.view.default",
    "aten.reshape.default",
    "aten.unsqueeze.default",
    "aten.squeeze.dims",
    "aten.squeeze.dim",
    "aten.slice.Tensor",
    "aten.transpose.int",
    "aten.permute.default",
)


def finite(value: float, dtype: torch.dtype) -> float:
    """Return `value`, an infinity or what `dtype` cannot hold as its largest finite number of that sign."""
    import torch

    largest = torch.finfo(dtype).max
    return max(-largest, min(largest, value))


def numbers(editor: GraphEditor, mask: torch.fx.Node, like: torch.fx.Node) -> torch.fx.Node | None:
    """Return 1 where `mask` is true and 0 elsewhere, in the type of `like` and made before it; None where unknown.

    The result has the rank of `mask` and broadcasts to its shape. Known are constants, inputs, comparisons of whole
    numbers with 0, and what and, or, not and views make of them.
    """
    if not _derivable(editor, mask):
        return None
    known = editor.numbers_of_masks
    key = mask, like.meta["val"].dtype
    if key not in known or known[key]._erased:  # several attentions share a mask, and stand one after the other
        known[key] = _numbers(editor, mask, like)
    return known[key]


def _derivable(editor: GraphEditor, mask: torch.fx.Node) -> bool:
    import torch

    if mask.meta["val"].dtype != torch.bool:
        return False
    if editor.value_of(mask) is not None or mask.op == "placeholder":
        return True
    if operator_of(mask) in (*_AND, *_OR, *_NOT, *_VIEWS, "aten.expand.default"):
        return all(_derivable(editor, one) for one in mask.all_input_nodes)
    return _compared(mask) is not None


def _compared(mask: torch.fx.Node) -> torch.fx.Node | None:
    """Return the whole numbers that `mask` tells from 0, or None."""
    name, given = operator_of(mask), mask.all_input_nodes
    if len(given) != 1 or given[0].meta["val"].dtype.is_floating_point:
        return None
    against_zero = name in ("aten.ne.Scalar", "aten.eq.Scalar") and mask.args[1] == 0
    return given[0] if against_zero or name == "aten._to_copy.default" else None


def _numbers(editor: GraphEditor, mask: torch.fx.Node, like: torch.fx.Node) -> torch.fx.Node:
    import torch

    from model_profiling.models import export_friendly_functions as functions

    dtype, name = like.meta["val"].dtype, operator_of(mask)
    stored = editor.value_of(mask)
    if stored is not None:
        return editor.constant(stored.to(dtype))
    if mask.op == "placeholder":
        return cast("torch.fx.Node", editor.insert(like, lambda x: x.to(dtype), mask))
    one = editor.number(1.0, like)
    if name in (*_AND, *_OR):
        combine = torch.mul if name in _AND else torch.maximum
        return cast(
            "torch.fx.Node",
            editor.insert(like, combine, *(_numbers(editor, part, like) for part in mask.all_input_nodes)),
        )
    if name in _NOT:
        return cast(
            "torch.fx.Node", editor.insert(like, torch.sub, one, _numbers(editor, mask.all_input_nodes[0], like))
        )
    whole = _compared(mask)
    if whole is None:
        return _viewed(editor, mask, like)
    made = editor.insert(like, lambda x: functions.nonzero(x.to(dtype)), whole)
    return cast("torch.fx.Node", made if name != "aten.eq.Scalar" else editor.insert(like, torch.sub, one, made))


def _viewed(editor: GraphEditor, mask: torch.fx.Node, like: torch.fx.Node) -> torch.fx.Node:
    """Return a view of a mask as one of its numbers; what it is expanded to is left to broadcasting."""
    inner = _numbers(editor, mask.all_input_nodes[0], like)
    shape, have = list(mask.meta["val"].shape), list(inner.meta["val"].shape)
    if operator_of(mask) == "aten.expand.default":
        return cast(
            "torch.fx.Node", editor.insert(like, lambda x: x.reshape([1] * (len(shape) - len(have)) + have), inner)
        )
    full = list(mask.all_input_nodes[0].meta["val"].shape)
    if have != full:  # a view needs what was left to broadcasting
        import torch

        ones = torch.ones(full, dtype=inner.meta["val"].dtype)
        inner = editor.insert(like, torch.mul, inner, ones)
    rest: tuple[Any, ...] = mask.args[1:]
    target: Any = mask.target
    if math.prod(shape) == math.prod(full) and operator_of(mask) not in ("aten.transpose.int", "aten.permute.default"):
        return cast("torch.fx.Node", editor.insert(like, lambda x: x.reshape(shape), inner))
    return cast("torch.fx.Node", editor.insert(like, lambda x: target(x, *rest), inner))
