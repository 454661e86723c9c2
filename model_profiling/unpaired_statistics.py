# SPDX-License-Identifier: Apache-2.0
"""Statistics of unpaired launches: two runs, made at different times, of the same experiment. Pure.

The unit is a launch, as in `paired_statistics`. Launches of two runs have no partners, so
nothing cancels: what differed between the two sessions (temperature, other processes, a
reboot) is in the ratio, and the interval covers how launches scatter within the runs only.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from model_profiling.paired_statistics import ALPHA


@dataclass(frozen=True)
class UnpairedEstimate:
    """The ratio of two runs' launch times and what supports it.

    `ratio` is candidate over baseline time (above 1: the candidate is slower); `low` and
    `high` bound its 95 % interval and `p_value` is Welch's, all three None where a run has
    fewer than two launches.
    """

    ratio: float
    low: float | None
    high: float | None
    p_value: float | None
    launches: tuple[int, int]

    def slower_than(self, percent: float) -> bool:
        """Return whether the whole interval lies above a slow-down by `percent`."""
        return self.low is not None and self.low > 1 + percent / 100


def estimate(baseline: Sequence[float], candidate: Sequence[float]) -> UnpairedEstimate:
    """Estimate candidate over baseline time from launch times (any unit, the same for both).

    The difference of the mean logarithms with Welch's t interval, which lets the two
    scatter differently (Welch, "The generalization of 'Student's' problem when several
    different population variances are involved", Biometrika 34, 1947; degrees of freedom
    after Satterthwaite, Biometrics Bulletin 2, 1946).

    Raises
    ------
    ValueError : a side has no launches, or a time is not positive and finite.
    """
    sides = [_logarithms(times) for times in (baseline, candidate)]
    launches, shift = (sides[0].size, sides[1].size), float(sides[1].mean() - sides[0].mean())
    if min(launches) < 2:
        return UnpairedEstimate(math.exp(shift), None, None, None, launches)
    parts = [float(side.var(ddof=1)) / side.size for side in sides]
    error = math.sqrt(sum(parts))
    if error == 0:  # launches without any scatter: the ratio is all there is
        return UnpairedEstimate(math.exp(shift), math.exp(shift), math.exp(shift), 1.0 if shift == 0 else 0.0, launches)
    degrees = sum(parts) ** 2 / sum(part**2 / (count - 1) for part, count in zip(parts, launches, strict=True))
    reach = float(stdtrit(degrees, 1 - ALPHA / 2)) * error
    return UnpairedEstimate(
        math.exp(shift),
        math.exp(shift - reach),
        math.exp(shift + reach),
        float(2 * stdtr(degrees, -abs(shift) / error)),
        launches,
    )


def time_interval(times: Sequence[float]) -> tuple[float, float] | None:
    """Return the 95 % interval of the geometric mean of launch times, in their unit; None of fewer than two.

    Student's t on their logarithms. It holds for launches like these, on this machine as it was: what drifts between
    two runs is not in it.
    """
    logarithms = _logarithms(times)
    if logarithms.size < 2:
        return None
    error = float(logarithms.std(ddof=1)) / math.sqrt(logarithms.size)
    reach = float(stdtrit(logarithms.size - 1, 1 - ALPHA / 2)) * error
    mean = float(logarithms.mean())
    return math.exp(mean - reach), math.exp(mean + reach)


def _logarithms(times: Sequence[float]) -> NDArray[np.float64]:
    values = np.asarray(times, float)
    if values.ndim != 1 or values.size == 0:
        raise ValueError("each side needs at least one launch")
    if not (np.isfinite(values).all() and (values > 0).all()):
        raise ValueError("launch times must be positive and finite")
    logarithms: NDArray[np.float64] = np.log(values)
    return logarithms
