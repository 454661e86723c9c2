# SPDX-License-Identifier: Apache-2.0
"""Tie a delegate's operator events to the nodes of its graph. Pure.

XNNPACK runs the nodes in the graph's order, but not one for one: it fuses nodes into the
one before (a clamp, a quantization) or replaces several by a table look-up, leaves nodes
out that have become views, and inserts others (packing for matrix kernels). Both lists
keep their order, so the tie is an alignment of two sequences: the cheapest one (Needleman
and Wunsch, J. Mol. Biol. 1970), where only an event that a node's kind can run as may
match it, and where leaving out a node costs little only if XNNPACK is known to fuse it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

#: Any elementwise node may run under these names.
_ELEMENTWISE_FORMS = ("Invalid Unary Op", "Unary Elementwise")
_BINARY_FORMS = ("Invalid Binary Op", "Binary Elementwise")

_UNARY = {
    "Sigmoid": "Sigmoid",
    "Clamp": "Clamp",
    "Floor": "Floor",
    "SquareRoot": "Square Root",
    "Ceiling": "Ceiling",
    "Hardswish": "HardSwish",
    "LeakyReLU": "LeakyReLU",
    "Negate": "Negate",
    "Square": "Square",
    "ELU": "ELU",
    "Abs": "Abs",
    "ReciprocalSquareRoot": "Reciprocal Square Root",
    "Log": "Log",
    "Gelu": "GELU",
    "Tanh": "TanH",
    "Exp": "Exp",
    "Sin": "Sine",
    "Cos": "Cosine",
}
_BINARY = {
    "Add": "Add",
    "Div": "Divide",
    "Minimum": "Minimum",
    "Multiply": "Multiply",
    "Subtract": "Subtract",
    "Maximum": "Maximum",
    "PReLU": "PReLU",
}

#: Which operators (names as `operators.delegated_operator` gives them) a node's kind runs as.
RUNS_AS: dict[str, frozenset[str]] = {
    "Conv2d": frozenset(("Convolution", "Fully Connected")),
    "DepthwiseConv2d": frozenset(("Convolution",)),
    "ConvTranspose2d": frozenset(("Deconvolution",)),
    "FullyConnected": frozenset(("Fully Connected", "Dynamic Fully Connected")),
    "BatchMatrixMultiply": frozenset(("Batch Matrix Multiply",)),
    "ScaledDotProductAttention": frozenset(("Batch Matrix Multiply", "Softmax", "Multiply", "Add")),
    "StaticTranspose": frozenset(("Transpose", "Copy", "Static Reshape")),
    "StaticReshape": frozenset(("Static Reshape", "Copy")),
    "StaticSlice": frozenset(("Slice", "Copy")),
    "StaticConstantPad": frozenset(("Constant Pad",)),
    "StaticResizeBilinear2D": frozenset(("Resize Bilinear",)),
    "Softmax": frozenset(("Softmax", "Normalize")),
    "MaxPooling2d": frozenset(("Max Pooling",)),
    "AvgPooling2d": frozenset(("Average Pooling",)),
    "ArgMaxPooling2d": frozenset(("ArgMax Pooling",)),
    "GlobalAvgPooling2d": frozenset(("Mean", "Average Pooling")),
    "Convert": frozenset(("Convert", "Copy")),
    "Copy": frozenset(("Copy",)),
    **{f"Concatenate{n}": frozenset(("Copy",)) for n in (2, 3, 4, 5)},
    **{kind: frozenset((name, *_ELEMENTWISE_FORMS)) for kind, name in _UNARY.items()},
    **{kind: frozenset((name, *_BINARY_FORMS)) for kind, name in _BINARY.items()},
}
#: Nodes that may run as several events in a row.
_REPEATS = frozenset(("ScaledDotProductAttention", *(f"Concatenate{n}" for n in (2, 3, 4, 5))))
#: Nodes that XNNPACK fuses into a neighbor, replaces or drops.
_OFTEN_LEFT_OUT = frozenset(
    (*_UNARY, "Convert", "Copy", "StaticReshape", "StaticTranspose", "StaticConstantPad", "StaticSlice")
)
#: Events that XNNPACK inserts by itself.
_OFTEN_INSERTED = frozenset(("Pack LH", "Convert", "Copy", "Transpose", "Static Reshape", "Sum"))

_LEAVE_OUT, _INSERT, _REPEAT, _NEVER = 1.0, 1.5, 0.25, 50.0


@dataclass(frozen=True)
class Alignment:
    """Which node each event belongs to, -1 where none does.

    `inserted[i]` is True for an event that XNNPACK added; it belongs to the node whose
    event comes next, as packing serves what follows. `left_out` are the nodes without an
    event, each with the node it is fused into (-1 at the very beginning).
    """

    node: tuple[int, ...]
    inserted: tuple[bool, ...]
    left_out: tuple[tuple[int, int], ...]


def align(kinds: Sequence[str], operators: Sequence[str]) -> Alignment:
    """Align a delegate's nodes (their `kinds`) with its events (their `operators`), both in order.

    A pair that cannot be explained stays unexplained: its event belongs to no node.
    """
    moves = _moves(kinds, operators)
    node, added = [-1] * len(operators), [False] * len(operators)
    n, e, left_out = len(kinds), len(operators), []
    while n or e:
        move = moves[n][e]
        if move == "m":
            n, e = n - 1, e - 1
            node[e] = n
        elif move == "r":  # one more event of the node that the event before belongs to
            e -= 1
            node[e] = n - 1
        elif move == "i":
            e -= 1
            added[e] = operators[e] in _OFTEN_INSERTED
        else:
            n -= 1
            left_out.append(n)
    _give_to_next(node, added)
    matched = sorted({k for k, is_added in zip(node, added, strict=True) if k >= 0 and not is_added})
    fused = tuple((k, max((m for m in matched if m < k), default=-1)) for k in reversed(left_out))
    return Alignment(tuple(node), tuple(added), fused)


def _moves(kinds: Sequence[str], operators: Sequence[str]) -> list[list[str]]:
    """Return the cheapest last move for every prefix: match, repeat, insert an event, leave a node out."""
    insert = [_INSERT if o in _OFTEN_INSERTED else _NEVER for o in operators]
    costs = [0.0]
    for price in insert:
        costs.append(costs[-1] + price)
    moves = [["-"] + ["i"] * len(operators)]
    for kind in kinds:
        skip, forms = (_LEAVE_OUT if kind in _OFTEN_LEFT_OUT else _NEVER), RUNS_AS.get(kind, frozenset())
        row, row_moves, row_matched = [costs[0] + skip], ["s"], [False]
        for e, operator in enumerate(operators):
            best, move, own = costs[e + 1] + skip, "s", False
            if row[e] + insert[e] < best:
                best, move = row[e] + insert[e], "i"
            if operator in forms and costs[e] <= best:
                best, move, own = costs[e], "m", True
            if kind in _REPEATS and operator in forms and row_matched[e] and row[e] + _REPEAT < best:
                best, move, own = row[e] + _REPEAT, "r", True
            row.append(best)
            row_moves.append(move)
            row_matched.append(own)
        costs = row
        moves.append(row_moves)
    return moves


def _give_to_next(node: list[int], added: Sequence[bool]) -> None:
    following = -1
    for e in range(len(node) - 1, -1, -1):
        if node[e] >= 0:
            following = node[e]
        elif added[e]:
            node[e] = following
