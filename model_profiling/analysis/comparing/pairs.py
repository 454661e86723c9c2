# SPDX-License-Identifier: Apache-2.0
"""The launch medians of each pair that counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from model_profiling.analysis.metrics import LaunchMetrics


@dataclass(frozen=True)
class PairTimes:
    """One pair that counts: the positions of its launches in `metrics.json`, and their medians in ms."""

    number: int
    positions: tuple[int, int]
    baseline_ms: float
    candidate_ms: float

    @property
    def times_ms(self) -> tuple[float, float]:
        """Both medians, the baseline's first."""
        return self.baseline_ms, self.candidate_ms

    @property
    def speedup(self) -> float:
        """Baseline time over candidate time."""
        return self.baseline_ms / self.candidate_ms


def pair_times(baseline: Sequence[LaunchMetrics], candidate: Sequence[LaunchMetrics]) -> list[PairTimes]:
    """Match the `launches` of two experiments' entries of `metrics.json` by pair, in order."""
    sides = [
        {launch.pair: (position, launch.median_ms) for position, launch in enumerate(side)}
        for side in (baseline, candidate)
    ]
    return [
        PairTimes(number, (sides[0][number][0], sides[1][number][0]), sides[0][number][1], sides[1][number][1])
        for number in sorted(sides[0].keys() & sides[1].keys())
    ]
