# SPDX-License-Identifier: Apache-2.0
"""Depthwise convolutions of more taps than XNNPACK's depthwise kernels have: one rewrite makes smaller ones of them."""

from __future__ import annotations

from collections.abc import Iterator

from model_profiling.analysis.advice.candidate import AdvisedSide, Candidate
from model_profiling.analysis.advice.costs import LAYER, Place
from model_profiling.analysis.advice.opportunity import AMDAHL, CEILING
from model_profiling.analysis.advice.rules.below_ceiling import LARGE_DEPTHWISE, reason_of

#: The rewrite that takes them apart; also the kind of opportunity.
REWRITE = "large-depthwise"


def large_depthwise(advised: AdvisedSide) -> Iterator[Candidate]:
    """Propose the rewrite for all of them together, down to their ceilings where these are known."""
    bounds: dict[Place, float] = {}
    basis, largest = CEILING, -1
    for number, layer in enumerate(advised.layers):
        if layer.kind != "DepthwiseConv2d" or reason_of(layer) != LARGE_DEPTHWISE or not advised.ms(number):
            continue
        ceiling = advised.ceilings.get(layer.layer)
        floor = None if ceiling is None else ceiling.floor_ms
        basis = AMDAHL if floor is None else basis
        bounds[LAYER, number] = min(floor or 0.0, advised.ms(number))
        largest = number if largest < 0 or advised.ms(number) > advised.ms(largest) else largest
    if bounds:
        layer = advised.layers[largest]
        facts = {
            "rewrite": REWRITE,
            "count": str(len(bounds)),
            "detail": layer.detail,
            "module": layer.module,
            "line": layer.source,
        }
        yield Candidate(REWRITE, REWRITE, basis, bounds, facts)
