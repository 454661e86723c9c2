# SPDX-License-Identifier: Apache-2.0
"""The shapes of a delegate's nodes for the inputs that run, of a program whose shapes vary.

The delegate's own graph has the largest shapes. The export's record has, for each operator that a node was made of, its
shapes as expressions of the dimensions that vary, in PyTorch's order of dimensions; XNNPACK's may be another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import permutations
from pathlib import Path
from typing import Any

from model_profiling.errors import UserError
from model_profiling.pipeline.program.dimensions import evaluate
from model_profiling.pipeline.program.xnnpack_graph import XnnNode, XnnTensor

Dims = tuple[int, ...]
_MOST_PERMUTED = 6  # dimensions; PyTorch's convolutions have at most five


@dataclass(frozen=True)
class Sizes:
    """The values of the dimensions that vary: those that run, and those that the graph may have been written for."""

    run: Mapping[str, int]
    written: Sequence[Mapping[str, int]]


def at_sizes(nodes: Sequence[XnnNode], handles: Mapping[str, Any], sizes: Sizes, model: Path) -> tuple[XnnNode, ...]:
    """Return a delegate's nodes with the shapes that run.

    Parameters
    ----------
    handles : what the export recorded of each operator by its debug handle (`shapes`: `inputs` and `output`).

    Raises
    ------
    UserError : the record does not tell the shape of some node.
    """
    known: dict[int, Dims] = {}
    placed = []
    for node in nodes:
        shapes = handles.get(str(node.handle), {}).get("shapes", {})
        inputs = tuple(_input(tensor, shapes, known, sizes) for tensor in node.inputs)
        output = _told(node.output, [shapes.get("output", [])], sizes) or _carried(node, inputs)
        if output is None or None in inputs:
            raise UserError(
                f"the export record does not tell the shapes of a {node.kind} for the inputs that run",
                f"beside {model}",
                "export it again with this version of the kit",
            )
        known[node.output.id] = output
        given = tuple(replace(t, dims=dims) for t, dims in zip(node.inputs, inputs, strict=True) if dims is not None)
        placed.append(replace(node, inputs=given, output=replace(node.output, dims=output)))
    return tuple(placed)


def _input(tensor: XnnTensor, shapes: Mapping[str, Any], known: dict[int, Dims], sizes: Sizes) -> Dims | None:
    if tensor.constant:
        return tensor.dims
    if tensor.id not in known:
        told = _told(tensor, shapes.get("inputs", []), sizes)
        if told is None:
            return None
        known[tensor.id] = told
    return known[tensor.id]


def _told(tensor: XnnTensor, candidates: Sequence[Sequence[int | str]], sizes: Sizes) -> Dims | None:
    """Return the dims that run of the first candidate whose written shape is the tensor's, None without one."""
    for extents in candidates:
        for written in sizes.written:
            try:
                before = [evaluate(extent, written) for extent in extents]
                now = [evaluate(extent, sizes.run) for extent in extents]
            except ValueError:
                continue
            matched = _in_order_of(tensor.dims, before, now)
            if matched is not None:
                return matched
    return None


def _carried(node: XnnNode, inputs: Sequence[Dims | None]) -> Dims | None:
    """Return the output's dims of a node that the lowering added: it lays its only input out anew."""
    flowing = [(t, dims) for t, dims in zip(node.inputs, inputs, strict=True) if not t.constant and dims is not None]
    if len(flowing) != 1:
        return None
    [(tensor, dims)] = flowing
    return _in_order_of(node.output.dims, tensor.dims, dims)


def _in_order_of(target: Dims, before: Sequence[int], now: Sequence[int]) -> Dims | None:
    """Return `now` in the order in which `before` is `target`; dimensions of 1 may be added or left out.

    The order is PyTorch's own, else that with channels last, else any.
    """
    wanted = [extent for extent in target if extent != 1]
    pairs = [(was, is_) for was, is_ in zip(before, now, strict=True) if was != 1]
    if len(pairs) != len(wanted):
        return None
    channels_last = [0, *range(2, len(pairs)), 1] if len(pairs) > 2 else []
    orders: list[Sequence[int]] = [range(len(pairs)), channels_last]
    if len(pairs) <= _MOST_PERMUTED:
        orders += list(permutations(range(len(pairs))))
    for order in orders:
        if len(order) == len(pairs) and [pairs[axis][0] for axis in order] == wanted:
            left = iter(pairs[axis][1] for axis in order)
            return tuple(1 if extent == 1 else next(left) for extent in target)
    return None
