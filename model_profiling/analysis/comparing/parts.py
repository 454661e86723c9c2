# SPDX-License-Identifier: Apache-2.0
"""Compares the parts of a model, operators or layers, pair by pair.

Each launch is one sample of each part (`part_times`). The same estimate as for the whole model
follows from the pairs, and because many parts are tested at once, Holm's correction from all of
their p-values.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from statistics import geometric_mean, median
from typing import TypeVar

from model_profiling.analysis.comparing.comparison import Interval
from model_profiling.paired_statistics import (
    ALPHA,
    FASTER,
    MIN_PAIRS_FOR_VERDICT,
    NO_DIFFERENCE,
    NO_VERDICT,
    SLOWER,
    Estimate,
    estimate,
    holm,
)

_Part = TypeVar("_Part", bound=Hashable)
#: XNNPACK's operator clock counts whole microseconds: a part of one execution that is
#: shorter on either side gets no verdict.
MIN_PART_US = 20.0
#: What that clock may be off by at each event of a delegate.
CLOCK_TICK_US = 1.0

#: For each part the time in one execution of each launch, in us, in the order of the pairs.
LaunchTimes = Mapping[_Part, Sequence[float]]


@dataclass(frozen=True)
class PartComparison:
    """One part on both sides; times in us of one execution, over the pairs that `speedup` comes from.

    The times are geometric means, so that baseline over candidate is `speedup`; where there is no speed-up they
    are medians. A side is None where the part does not run there. `speedup`, its interval and `p_value` (after
    Holm) are None where a side is missing or its times are zero.
    """

    baseline_us: float | None
    candidate_us: float | None
    speedup: float | None
    interval: Interval | None
    p_value: float | None
    verdict: str

    @property
    def shortest_us(self) -> float:
        """The shorter side's time in us, 0 where a side is missing."""
        return min(self.baseline_us or 0.0, self.candidate_us or 0.0)


def compare_parts(
    baseline: LaunchTimes[_Part],
    candidate: LaunchTimes[_Part],
    resolution_us: Mapping[_Part, float],
    quick: bool,
    baseline_first: Sequence[bool] | None = None,
) -> dict[_Part, PartComparison]:
    """Compare every part that either side has, in the baseline's order, then the candidate's.

    `resolution_us` is what the clock may be off by over one execution of a part: a smaller
    difference is none that was shown, however steady. A part of no work (0 us in some
    launch) has no ratio; a quick run has no verdicts. `baseline_first` has the order of each
    pair's launches, where it is known (`estimate`).
    """
    keys = list(dict.fromkeys((*baseline, *candidate)))
    estimates = {key: _estimate(baseline.get(key), candidate.get(key), baseline_first) for key in keys}
    tested = {
        key: result.t_p_value
        for key, result in estimates.items()
        if result is not None and result.t_p_value is not None and _long_enough(baseline[key], candidate[key])
    }
    adjusted = dict(zip(tested, holm(list(tested.values())), strict=True))
    return {
        key: _comparison(
            baseline.get(key), candidate.get(key), estimates[key], adjusted.get(key), quick, resolution_us.get(key, 0.0)
        )
        for key in keys
    }


def _estimate(
    first: Sequence[float] | None, second: Sequence[float] | None, baseline_first: Sequence[bool] | None
) -> Estimate | None:
    if not first or not second or min(first) <= 0 or min(second) <= 0:
        return None
    return estimate(first, second, baseline_first)


def _long_enough(first: Sequence[float], second: Sequence[float]) -> bool:
    return min(median(first), median(second)) >= MIN_PART_US


def _comparison(
    first: Sequence[float] | None,
    second: Sequence[float] | None,
    result: Estimate | None,
    p_value: float | None,
    quick: bool,
    resolution_us: float,
) -> PartComparison:
    if result is None or first is None or second is None:
        before, after = median(first) if first else None, median(second) if second else None
        return PartComparison(before, after, None, None, None, NO_VERDICT)
    before, after = geometric_mean(first), geometric_mean(second)
    verdict = NO_VERDICT
    if p_value is not None and not quick and result.pairs >= MIN_PAIRS_FOR_VERDICT:
        verdict = NO_DIFFERENCE
        if p_value < ALPHA and abs(before - after) > resolution_us:
            verdict = FASTER if result.speedup > 1 else SLOWER
    return PartComparison(before, after, result.speedup, Interval.of(result.low, result.high), p_value, verdict)
