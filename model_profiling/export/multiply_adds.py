# SPDX-License-Identifier: Apache-2.0
"""How much arithmetic one execution of a model is, counted from its graph.

One multiply-add is one multiplication and the addition of its product to a sum: half of what is
often given as FLOPs. Counted are convolutions (``output elements x input channels per group x
kernel size``; transposed ones by their input) and matrix products (``rows x inner x columns x
batch``: linear, addmm, mm, bmm, attention, recurrent cells, all of which decompose into these).
Not counted: biases, activations, normalization, softmax, pooling and other elementwise work.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from model_profiling.errors import UserError
from model_profiling.models.foreign_code import ForeignCode

if TYPE_CHECKING:
    import torch


def count(program: torch.export.ExportedProgram) -> int:
    """Return the multiply-adds of one execution of `program` at its example shapes."""
    import torch

    with torch.no_grad():  # as the graph was captured: else parts of it that set the mode cannot be traced again
        decomposed = program.run_decompositions()
    return sum(of_node(node) for node in decomposed.graph.nodes if node.op == "call_function")


def count_or_why(program: torch.export.ExportedProgram) -> tuple[int | None, list[str]]:
    """Return the multiply-adds, or None and why there are none: counting is no reason for an export to fail."""
    try:
        with ForeignCode("counting multiply-adds", ""):
            return count(program), []
    except UserError as error:
        return None, [f"multiply-adds are not counted: {error}"]


def of_node(node: torch.fx.Node) -> int:
    """Return the multiply-adds of one operator, in ATen's dialect, the edge's or a program's; 0 where it has none."""
    name = getattr(node.target, "__name__", "").removeprefix("aten.")
    rule = _RULES.get(name.removesuffix("out") + "default" if name.endswith(".out") else name)
    return rule(node) if rule else 0


def shape_of(node: object) -> list[int]:
    """Return the shape of a node's value.

    A dynamic dimension counts with the value that its example input has, one that depends on values as 1.
    """
    meta = cast("torch.fx.Node", node).meta  # an argument of a matrix product or convolution is a node
    return [
        dim if isinstance(dim, int) else int(dim.node.hint) if dim.node.has_hint() else 1 for dim in meta["val"].shape
    ]


def _convolution(node: torch.fx.Node) -> int:
    source, weight, transposed = node.args[0], node.args[1], node.args[6]
    positions = shape_of(source) if transposed else shape_of(node)
    # The weight's second dimension is channels per group on the side that is summed over (or,
    # transposed, spread to), so groups need no term of their own.
    return math.prod(positions) * math.prod(shape_of(weight)[1:])


def _product(left: int) -> Callable[[torch.fx.Node], int]:
    """Return the rule for a matrix product whose left factor is argument number `left`."""
    return lambda node: math.prod(shape_of(node)) * shape_of(node.args[left])[-1]


_RULES: dict[str, Callable[[torch.fx.Node], int]] = {
    "convolution.default": _convolution,
    "linear.default": _product(0),
    "mm.default": _product(0),
    "bmm.default": _product(0),
    "mv.default": lambda node: math.prod(shape_of(node.args[0])),
    "dot.default": lambda node: math.prod(shape_of(node.args[0])),
    "addmm.default": _product(1),
    "baddbmm.default": _product(1),
    "addmv.default": lambda node: math.prod(shape_of(node.args[1])),
}
