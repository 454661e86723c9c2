# SPDX-License-Identifier: Apache-2.0
"""Layers inside delegates that only move numbers: transposes and conversions of type."""

from __future__ import annotations

from collections.abc import Iterator

from model_profiling.analysis.advice.candidate import AdvisedSide, Candidate
from model_profiling.analysis.advice.costs import LAYER
from model_profiling.analysis.advice.opportunity import AMDAHL

TRANSPOSE, CONVERSION = "transpose", "conversion"
_KINDS = {"StaticTranspose": TRANSPOSE, "Convert": CONVERSION}


def layout(advised: AdvisedSide) -> Iterator[Candidate]:
    """Propose to leave transposes and conversions out: those that the model asks for, and those that XNNPACK adds.

    XNNPACK adds its own where a delegate begins or ends, and between layers of which one takes NHWC, the other not:
    what it adds next to one that the model asks for goes with it.
    """
    groups: dict[tuple[str, bool], list[int]] = {}
    operators = tuple(_operators(advised))
    for chain in _chains(advised):
        kind = _KINDS[advised.layers[chain[0]].kind]
        asked = any(operators[number] for number in chain)
        groups.setdefault((kind, asked), []).extend(number for number in chain if advised.ms(number))
    groups = {key: layers for key, layers in groups.items() if layers}
    for (kind, asked), layers in groups.items():
        named = [number for number in layers if operators[number]] or layers
        largest = advised.layers[max(named, key=advised.ms)]
        facts = {
            "asked": "model" if asked else "XNNPACK",
            "count": str(len(layers)),
            "module": largest.module if asked else "",
            "line": largest.source if asked else "",
        }
        bounds = {(LAYER, number): 0.0 for number in layers}
        yield Candidate(f"{kind}-{facts['asked'].lower()}", kind, AMDAHL, bounds, facts)


def _chains(advised: AdvisedSide) -> Iterator[list[int]]:
    """Yield neighbors of one kind that only move numbers, in execution order."""
    chain: list[int] = []
    for number, layer in enumerate(advised.layers):
        if layer.kind in _KINDS and (not chain or layer.kind == advised.layers[chain[0]].kind):
            chain.append(number)
            continue
        if chain:
            yield chain
        chain = [number] if layer.kind in _KINDS else []
    if chain:
        yield chain


def _operators(advised: AdvisedSide) -> Iterator[str]:
    """Yield the operator of the model that each layer was made from, "" where XNNPACK added it."""
    for instruction in advised.graph:
        yield from (node.operator for node in instruction.nodes) if instruction.nodes else ("",)
