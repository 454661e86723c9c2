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

    XNNPACK adds its own where a delegate begins or ends, and between layers of which one takes NHWC, the other not.
    """
    groups: dict[tuple[str, bool], list[int]] = {}
    for number, (layer, operator) in enumerate(zip(advised.layers, _operators(advised), strict=True)):
        kind = _KINDS.get(layer.kind)
        if kind and advised.ms(number):
            groups.setdefault((kind, bool(operator)), []).append(number)
    for (kind, asked), layers in groups.items():
        largest = advised.layers[max(layers, key=advised.ms)]
        facts = {
            "asked": "model" if asked else "XNNPACK",
            "count": str(len(layers)),
            "module": largest.module if asked else "",
            "line": largest.source if asked else "",
        }
        bounds = {(LAYER, number): 0.0 for number in layers}
        yield Candidate(f"{kind}-{facts['asked'].lower()}", kind, AMDAHL, bounds, facts)


def _operators(advised: AdvisedSide) -> Iterator[str]:
    """Yield the operator of the model that each layer was made from, "" where XNNPACK added it."""
    for instruction in advised.graph:
        yield from (node.operator for node in instruction.nodes) if instruction.nodes else ("",)
