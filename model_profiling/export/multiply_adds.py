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

if TYPE_CHECKING:
    import torch


def count(program: torch.export.ExportedProgram) -> int:
    """Return the multiply-adds of one execution of `program` at its example shapes."""
    total = 0
    for node in program.run_decompositions().graph.nodes:
        if node.op == "call_function":
            rule = _RULES.get(getattr(node.target, "__name__", ""))
            total += rule(node) if rule else 0
    return total


def _shape(node: object) -> list[int]:
    """Return the shape of a node's value; a dynamic dimension counts with the value its example input has."""
    meta = cast("torch.fx.Node", node).meta  # an argument of a matrix product or convolution is a node
    return [dim if isinstance(dim, int) else int(dim.node.hint) for dim in meta["val"].shape]


def _convolution(node: torch.fx.Node) -> int:
    source, weight, transposed = node.args[0], node.args[1], node.args[6]
    positions = _shape(source) if transposed else _shape(node)
    # The weight's second dimension is channels per group on the side that is summed over (or,
    # transposed, spread to), so groups need no term of their own.
    return math.prod(positions) * math.prod(_shape(weight)[1:])


def _product(left: int) -> Callable[[torch.fx.Node], int]:
    """Return the rule for a matrix product whose left factor is argument number `left`."""
    return lambda node: math.prod(_shape(node)) * _shape(node.args[left])[-1]


_RULES: dict[str, Callable[[torch.fx.Node], int]] = {
    "convolution.default": _convolution,
    "mm.default": _product(0),
    "bmm.default": _product(0),
    "mv.default": lambda node: math.prod(_shape(node.args[0])),
    "dot.default": lambda node: math.prod(_shape(node.args[0])),
    "addmm.default": _product(1),
    "baddbmm.default": _product(1),
    "addmv.default": lambda node: math.prod(_shape(node.args[1])),
}
