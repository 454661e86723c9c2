# SPDX-License-Identifier: Apache-2.0
"""Splits, selections and changes of rank as slices and reshapes; repetition as a product with ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from model_profiling.export.rewrite import FLOATS, Rewrite
from model_profiling.models.graph_places import operator_of

if TYPE_CHECKING:
    import torch

    from model_profiling.export.graph_editor import GraphEditor

_SPLITS = ("aten.split.Tensor", "aten.split_with_sizes.default", "aten.chunk.default", "aten.unbind.int")
_RANKS = ("aten.squeeze.dim", "aten.squeeze.dims", "aten.squeeze.default", "aten.unsqueeze.default")


def edit(editor: GraphEditor, node: torch.fx.Node) -> bool:
    name = operator_of(node)
    if name in _SPLITS:
        return _split(editor, node)
    if name in _RANKS:
        shape = list(node.meta["val"].shape)
        return editor.replace(node, lambda x: x.reshape(shape), node.args[0])
    return _select(editor, node) if name == "aten.select.int" else _repeat(editor, node)


def _split(editor: GraphEditor, node: torch.fx.Node) -> bool:
    from model_profiling.models import export_friendly_functions as functions

    arguments: tuple[Any, ...] = node.args
    unbound = operator_of(node) == "aten.unbind.int"
    place = 1 if unbound else 2
    dim: Any = arguments[place] if len(arguments) > place else node.kwargs.get("dim", 0)
    results = node.meta["val"]
    sizes = [1 if unbound else one.shape[dim] for one in results]

    def form(x: Any) -> object:
        parts = functions.pieces(x, dim, sizes)
        return [part.reshape(one.shape) for part, one in zip(parts, results, strict=True)] if unbound else parts

    return editor.replace(node, form, arguments[0])


def _select(editor: GraphEditor, node: torch.fx.Node) -> bool:
    arguments: tuple[Any, ...] = node.args
    x, dim, index = arguments
    start = index % x.meta["val"].shape[dim]
    shape = list(node.meta["val"].shape)
    return editor.replace(node, lambda x: x.narrow(dim, start, 1).reshape(shape), x)


def _repeat(editor: GraphEditor, node: torch.fx.Node) -> bool:
    """Repeat by a product with ones where a dimension of length 1 grows; other repetitions are left."""
    import torch

    from model_profiling.models import export_friendly_functions as functions

    x, result = node.all_input_nodes[0], node.meta["val"]
    have, shape = list(x.meta["val"].shape), list(result.shape)
    have = [1] * (len(shape) - len(have)) + have
    if any(old not in (1, new) for old, new in zip(have, shape, strict=True)):
        return False
    if have == shape:
        return editor.replace(node, lambda x: x.reshape(shape), x)
    ones = torch.ones([new if old != new else 1 for old, new in zip(have, shape, strict=True)], dtype=result.dtype)
    return editor.replace(node, lambda x, ones: functions.repeated(x.reshape(have), ones), x, ones)


REWRITE = Rewrite(
    name="views",
    rank=140,
    replaces="aten.split, chunk, unbind, select, squeeze, unsqueeze, expand and repeat",
    operators=(*_SPLITS, *_RANKS, "aten.select.int", "aten.expand.default", "aten.repeat.default"),
    dtypes=FLOATS,
    bound=(0.0, 0.0),
    saves="One operator outside for each of them: XNNPACK takes slices, reshapes and products.",
    edit=edit,
    hints=("select", "split", "squeeze", "unsqueeze"),
)
