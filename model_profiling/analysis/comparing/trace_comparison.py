# SPDX-License-Identifier: Apache-2.0
"""Compares timeline tables with each other: operators, categories, placement, latency."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import geometric_mean

import numpy as np

from model_profiling.analysis.comparing.comparison import Interval
from model_profiling.analysis.comparing.latency import describe
from model_profiling.analysis.comparing.operators import OperatorChange, operator_changes
from model_profiling.analysis.comparing.traced_sides import TracedSide
from model_profiling.analysis.traces.breakdown import PARTS, Breakdown, break_down, join
from model_profiling.analysis.traces.operator_stats import OperatorStats, operator_stats
from model_profiling.analysis.traces.packing import charged
from model_profiling.paired_statistics import NO_VERDICT, estimate, verdict

_NS_PER_MS = 1e6


@dataclass(frozen=True, eq=False)
class SideTimes:
    """Where the time of one side goes; times in ms are mean shares times the median execution.

    `operators` are as recorded; in `comparable` packing counts with the operator that it serves.
    """

    side: TracedSide
    operators: tuple[OperatorStats, ...]
    comparable: tuple[OperatorStats, ...]
    whole: Breakdown

    @property
    def median_ms(self) -> float:
        return float(np.median(self.whole.method)) / _NS_PER_MS

    def categories_ms(self) -> dict[str, float]:
        """Return ms by category; they sum to `median_ms`."""
        return {name: share * self.median_ms for name, share in self.whole.mean_shares().items()}

    def placement_ms(self) -> dict[str, float]:
        """Return ms of delegated and portable operators, and of neither; they sum to `median_ms`."""
        columns = {
            "delegated": self.whole.delegated,
            "portable": self.whole.portable,
            "framework": self.whole.framework,
        }
        return {name: self.whole.mean_share(column) * self.median_ms for name, column in columns.items()}


def times_of(side: TracedSide) -> SideTimes:
    """Break a side's executions down."""
    whole = join([break_down(recording.timeline) for recording in side.recordings])
    operators = tuple(operator_stats(side.recordings))
    served = charged(side.recordings)
    same = all(new is old for new, old in zip(served, side.recordings, strict=True))
    return SideTimes(side, operators, operators if same else tuple(operator_stats(served)), whole)


def changes(first: SideTimes, second: SideTimes) -> list[OperatorChange]:
    """Return the operators of both sides beside each other, the most expensive first."""
    return operator_changes(first.comparable, second.comparable)


def category_rows(first: SideTimes, second: SideTimes | None) -> list[tuple[str, float, float | None]]:
    """Return (category, ms of the first side, ms of the second)."""
    sides = first.categories_ms(), second.categories_ms() if second else {}
    return [(name, sides[0][name], sides[1].get(name)) for name in PARTS]


def common_threads(first: Mapping[str, TracedSide], second: Mapping[str, TracedSide]) -> list[str]:
    """Return the thread counts that both sides have, in order."""
    return sorted(first.keys() & second.keys(), key=lambda text: (len(text), text))


def latency_entry(side: TracedSide) -> dict[str, object]:
    """Return the robust statistics of a side's executions, the median of each launch, and the time of one.

    `time_ms` is the geometric mean of the launches' medians: what a speed-up over pairs is the ratio of.
    """
    medians = _launch_medians(side)
    return {
        "name": side.label,
        "threads": side.threads,
        "time_ms": geometric_mean(medians.values()),
        "statistics": describe(side.latencies_ms).to_json(),
        "launch_medians_ms": {str(pair): value for pair, value in medians.items()},
    }


@dataclass(frozen=True)
class LatencyComparison:
    """Two sides' end-to-end latency compared, under their labels; `threads` is "" where traces do not tell."""

    baseline: str
    candidate: str
    threads: str
    pairs: int
    speedup: float
    interval: Interval | None
    p_value: float | None
    verdict: str

    def to_json(self) -> dict[str, object]:
        return {
            "baseline": self.baseline,
            "candidate": self.candidate,
            "threads": self.threads,
            "pairs": self.pairs,
            "speedup": self.speedup,
            "ci95": self.interval and self.interval.to_json(),
            "p_value": self.p_value,
            "verdict": self.verdict,
        }


def latency_comparison(first: TracedSide, second: TracedSide) -> LatencyComparison:
    """Compare two sides' end-to-end latency, by pairs of launches where the tables name them.

    Without pair numbers the launches are independent only in name, so there is a ratio of
    medians but neither an interval nor a verdict.
    """
    medians = _launch_medians(first), _launch_medians(second)
    pairs = [pair for pair in medians[0] if pair != "" and pair in medians[1]]
    named = first.label, second.label, first.threads, len(pairs)
    if not pairs:
        ratio = float(np.median(first.latencies_ms) / np.median(second.latencies_ms))
        return LatencyComparison(*named, ratio, None, None, NO_VERDICT)
    result = estimate([medians[0][p] for p in pairs], [medians[1][p] for p in pairs])
    interval = Interval.of(result.low, result.high)
    return LatencyComparison(*named, result.speedup, interval, result.p_value, verdict(result))


def _launch_medians(side: TracedSide) -> dict[str, float]:
    """Return the median execution of each launch in ms, by pair ("" for a trace that stands alone)."""
    groups: dict[str, list[np.ndarray]] = {}
    for recording in side.recordings:
        groups.setdefault(str(recording.pair), []).append(recording.timeline.method_ns)
    return {pair: float(np.median(np.concatenate(times))) / _NS_PER_MS for pair, times in groups.items()}


def operator_count(operators: Sequence[OperatorStats], delegated: bool) -> int:
    """Return how many operators one execution runs inside delegates, or outside."""
    return round(sum(row.calls_per_run for row in operators if bool(row.delegated) == delegated))
