# SPDX-License-Identifier: Apache-2.0
"""Operators outside XNNPACK: what they cost themselves, and what they cost by dividing a delegate in two."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from model_profiling.analysis.advice.candidate import AdvisedSide, Candidate
from model_profiling.analysis.advice.costs import CALL, LAYER, Place
from model_profiling.analysis.advice.opportunity import AMDAHL
from model_profiling.analysis.traces.outside import OperatorsOutside, outside_operators
from model_profiling.pipeline.program.layers import GraphInstruction, Node

OUTSIDE, SPLIT, ISLAND = "outside", "split", "fp16-island"
#: What XNNPACK adds where values go in or out of a delegate: its convolutions take NHWC, everything outside NCHW.
_AT_THE_EDGE = frozenset(("StaticTranspose", "Convert", "Copy"))
#: Operators that only change the type of numbers.
_CONVERSION = re.compile(r"_to_dim_order_copy|_to_copy|\.to\.")


def outside_xnnpack(advised: AdvisedSide) -> Iterator[Candidate]:
    """Propose to take operators in that one change takes in: a rewrite, or what one hint says.

    They could save what they take, what their calls take, and, where two delegates become one, the second one's call
    and the transposes between the two. Whether the form that XNNPACK takes is faster has to be measured.
    """
    outside = outside_operators(advised.exported.outside, advised.layers)
    groups: dict[str, list[OperatorsOutside]] = {}
    for operators in outside:
        if operators.layers:
            groups.setdefault(operators.rewrite or operators.hint or operators.operator, []).append(operators)
    program = _Program(advised)
    for together in groups.values():
        yield _candidate(advised, program, together)


def _candidate(advised: AdvisedSide, program: _Program, together: Sequence[OperatorsOutside]) -> Candidate:
    layers = [number for operators in together for number in operators.layers]
    taken_in = {program.instruction_of[number] for number in layers}
    own: list[Place] = [*((LAYER, number) for number in layers), *((CALL, number) for number in taken_in)]
    joined, between = program.joined_by(taken_in)
    first = max(together, key=lambda operators: sum(map(advised.ms, operators.layers)))
    facts = {
        "operators": " and ".join(dict.fromkeys(_bare(operators.operator) for operators in together)),
        "count": str(len(layers)),
        "module": first.module,
        "line": first.source,
        "reason": first.reason,
        "hint": first.hint,
        "rewrite": first.rewrite,
        "delegates": str(len(program.delegates)),
        "delegates_after": str(len(program.delegates) - joined),
    }
    kind = OUTSIDE
    if advised.exported.dtype == "fp16" and all(_CONVERSION.search(operators.operator) for operators in together):
        kind = ISLAND
    elif joined and advised.costs.of(between) > advised.costs.of(own):
        kind = SPLIT
    name = first.rewrite or f"{_bare(first.operator)}-{layers[0]}"
    return Candidate(f"{kind}-{name}", kind, AMDAHL, dict.fromkeys((*own, *between), 0.0), facts)


@dataclass(frozen=True)
class _Numbered:
    """An instruction, and the position of its first layer."""

    instruction: GraphInstruction
    first: int


class _Program:
    """The instructions of a program in order, each with its layers."""

    def __init__(self, advised: AdvisedSide) -> None:
        self._order: list[_Numbered] = []
        self.instruction_of: dict[int, int] = {}
        position = 0
        for instruction in advised.graph:
            self._order.append(_Numbered(instruction, position))
            for _ in range(max(len(instruction.nodes), 1)):
                self.instruction_of[position] = instruction.index
                position += 1

    @property
    def delegates(self) -> list[GraphInstruction]:
        return [one.instruction for one in self._order if one.instruction.nodes]

    def joined_by(self, taken_in: set[int]) -> tuple[int, list[Place]]:
        """Return how many delegates disappear when instructions are taken in, and what goes with them.

        Two delegates become one where all that stands between them is taken in.
        """
        joined, places = 0, list[Place]()
        before: _Numbered | None = None
        all_in = True
        for one in self._order:
            if not one.instruction.nodes:
                all_in = all_in and one.instruction.index in taken_in
                continue
            if before is not None and all_in:
                joined += 1
                places.append((CALL, one.instruction.index))
                places += _edge(before, reverse=True) + _edge(one, reverse=False)
            before, all_in = one, True
        return joined, list(dict.fromkeys(places))


def _edge(one: _Numbered, reverse: bool) -> list[Place]:
    """Return the layers with which a delegate begins, or ends, that XNNPACK added for what is outside."""
    numbered = list(enumerate(one.instruction.nodes, one.first))
    places = list[Place]()
    for number, node in reversed(numbered) if reverse else numbered:
        if not _added(node):
            break
        places.append((LAYER, number))
    return places


def _added(node: Node) -> bool:
    return node.kind in _AT_THE_EDGE and not node.operator


def _bare(operator: str) -> str:
    """Return "native_layer_norm" for "aten.native_layer_norm.default", and for the kernel of that name."""
    parts = [part for part in operator.split(".") if part not in ("aten", "default", "out", "dim_order_ops")]
    return parts[0] if parts else operator
