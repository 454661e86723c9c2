# SPDX-License-Identifier: Apache-2.0
"""Layers that the feature made slower."""

from __future__ import annotations

from collections.abc import Iterator

from model_profiling.analysis.advice.candidate import AdvisedSide, Candidate
from model_profiling.analysis.advice.costs import LAYER
from model_profiling.analysis.advice.opportunity import MEASURED
from model_profiling.paired_statistics import SLOWER

SLOWER_LAYERS, SLOWER_MODEL = "slower-layers", "slower-model"


def slower_with_feature(advised: AdvisedSide) -> Iterator[Candidate]:
    """Propose to run without the feature where it made the whole slower; else name the layers that it made slower."""
    compared = advised.comparison
    if compared is None or compared.models is not None:
        return
    if compared.verdict == SLOWER and compared.interval is not None:
        time, ends = advised.costs.time_ms, (compared.interval.high, compared.interval.low)
        low, high = (time * (1 - ratio) for ratio in ends)
        bounds = {place: ms * compared.speedup for place, ms in advised.costs.ms.items()}
        yield Candidate(SLOWER_MODEL, SLOWER_MODEL, MEASURED, bounds, {}, (low, high))
        return
    slower = [one for one in compared.layers if one.verdict == SLOWER and one.speedup and one.interval]
    position = {layer.layer: number for number, layer in enumerate(advised.layers)}
    bounds, low, high = {}, 0.0, 0.0
    for one in slower:
        number, interval = position.get(one.layer), one.interval
        if number is None or interval is None or one.speedup is None:
            continue
        now = advised.ms(number)
        bounds[LAYER, number] = now * one.speedup
        # Layers may err together, so their intervals are added as they are.
        low, high = low + now * (1 - interval.high), high + now * (1 - interval.low)
    if bounds:
        facts = {"count": str(len(bounds))}
        yield Candidate(SLOWER_LAYERS, SLOWER_LAYERS, MEASURED, bounds, facts, (low, high))
