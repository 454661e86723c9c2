# SPDX-License-Identifier: Apache-2.0
"""Statistics of paired launches: estimates, intervals, tests, drift and the stop rule. Pure.

The unit is a launch (one process), summarized by the median of its executions after
warm-up. Executions inside a process share its memory layout, its clock frequency and
its neighbors, so they are never treated as independent samples (Kalibera and Jones,
"Rigorous Benchmarking in Reasonable Time", ISMM 2013, section 4). A pair holds one
launch of each side, close in time and in random order, so slow drift cancels in its
ratio; the ratios of different pairs are the independent samples. Both orders come equally
often, so that what being made first costs can be told from the difference.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtr, stdtrit

CONFIDENCE = 0.95
#: Significance level of every test here; the complement of `CONFIDENCE`.
ALPHA = 1 - CONFIDENCE
#: A verdict's exact p-value must stay under this. Stricter than `ALPHA`, so that false
#: verdicts stay under 5 % over many A/A runs although real launch noise is neither
#: normal nor independent (simulated in test-cases/base/test_statistics_simulation.py).
VERDICT_P_VALUE = 0.035
#: Fewer pairs than this give no verdict: below six, even a unanimous exact sign-flip
#: test cannot reach `ALPHA` (2 / 2**5 = 0.0625).
MIN_PAIRS_FOR_VERDICT = 6
#: The adaptive rule never plans more pairs than this.
MAX_ADAPTIVE_PAIRS = 20
#: Launch medians that drift farther over a run than this, in percent, are worth a warning.
DRIFT_WARNING_PERCENT = 5.0
#: All 2**n sign patterns are enumerated up to this n (about a million, 0.1 s).
_MAX_EXACT_PAIRS = 20

FASTER, SLOWER = "faster", "slower"
NO_DIFFERENCE, NO_VERDICT = "no difference shown", "no verdict"


@dataclass(frozen=True)
class Estimate:
    """A speed-up and what supports it.

    `speedup` is baseline time over candidate time (above 1: the candidate is faster);
    `low` and `high` bound its 95 % interval, None with fewer than two pairs;
    `p_value` is the exact two-sided sign-flip p-value (the paired t-test's above 20 pairs,
    where the two agree and the patterns are too many), None with fewer than two pairs;
    `t_p_value` belongs to the paired t-test that the interval comes from.
    """

    speedup: float
    low: float | None
    high: float | None
    p_value: float | None
    t_p_value: float | None
    pairs: int

    @property
    def half_width_percent(self) -> float:
        """Half of the interval's width on the log scale, in percent; infinite with one pair."""
        if self.low is None or self.high is None:
            return math.inf
        return 100 * (math.sqrt(self.high / self.low) - 1)


def log_ratios(baseline: Sequence[float], candidate: Sequence[float]) -> NDArray[np.float64]:
    """Return log(baseline / candidate) for each pair.

    Raises
    ------
    ValueError : lengths differ, nothing is given, or a time is not positive and finite.
    """
    first, second = np.asarray(baseline, float), np.asarray(candidate, float)
    if first.shape != second.shape or first.ndim != 1 or first.size == 0:
        raise ValueError("baseline and candidate need the same number of launches, at least one")
    if not (np.isfinite(first).all() and np.isfinite(second).all() and (first > 0).all() and (second > 0).all()):
        raise ValueError("launch times must be positive and finite")
    ratios: NDArray[np.float64] = np.log(first / second)
    return ratios


def estimate(
    baseline: Sequence[float], candidate: Sequence[float], baseline_first: Sequence[bool] | None = None
) -> Estimate:
    """Estimate the speed-up from paired launch times (any unit, the same on both sides).

    exp(mean(log(baseline/candidate))) with the paired-t interval on the log scale
    (Georges, Buytaert and Eeckhout, OOPSLA 2007, section 3.2, for intervals over
    processes; Fleming and Wallace, CACM 1986, for the geometric mean of ratios).

    Parameters
    ----------
    baseline_first : of each pair, whether the baseline was made first. Where as many pairs had one order as the
        other, what being first costs is taken out of the scatter, for one degree of freedom: the interval of the
        two-period crossover design (Jones and Kenward, "Design and Analysis of Cross-Over Trials", section 2.3).
    """
    ratios = log_ratios(baseline, candidate)
    count, mean = ratios.size, float(ratios.mean())
    if count < 2:
        return Estimate(math.exp(mean), None, None, None, None, count)
    first = _balanced(baseline_first, count)
    freedom = count - 1 if first is None else count - 2
    if first is not None:
        rest = ratios - np.where(first, 1.0, -1.0) * (ratios[first].mean() - ratios[~first].mean()) / 2 - mean
        # What is left scatters less by the degree of freedom that was spent.
        ratios = mean + rest * math.sqrt((count - 1) / freedom)
    error = float(ratios.std(ddof=1)) / math.sqrt(count)
    reach = float(stdtrit(freedom, 1 - ALPHA / 2)) * error
    t_p_value = _t_p_value(mean, error, freedom)
    return Estimate(
        speedup=math.exp(mean),
        low=math.exp(mean - reach),
        high=math.exp(mean + reach),
        p_value=sign_flip_p_value(ratios) if count <= _MAX_EXACT_PAIRS else t_p_value,
        t_p_value=t_p_value,
        pairs=count,
    )


def _balanced(baseline_first: Sequence[bool] | None, count: int) -> NDArray[np.bool_] | None:
    """Return the orders where each was that of half of the pairs, and those are enough to tell its cost."""
    if baseline_first is None or count < MIN_PAIRS_FOR_VERDICT:
        return None
    first = np.asarray(baseline_first, bool)
    if first.size != count:
        raise ValueError("each pair needs its order")
    return first if 2 * int(first.sum()) == count else None


def _t_p_value(mean: float, error: float, freedom: int) -> float:
    if error == 0:
        return 1.0 if mean == 0 else 0.0
    return float(2 * stdtr(freedom, -abs(mean) / error))


def sign_flip_p_value(ratios: ArrayLike) -> float:
    """Return the exact two-sided p-value of the sign-flip (randomization) test.

    Under "no difference" the coin that ordered a pair may as well have swapped its two
    labels, so each log ratio could have had the other sign; the p-value is the share of
    all 2**n sign patterns whose mean is at least as far from zero as the one seen
    (Fisher 1935; Ernst, "Permutation Methods", Statistical Science 2004). Of ratios freed
    of what being first costs it is an approximation, with false verdicts within `ALPHA`
    (simulated in test-cases/base/test_lockstep_simulation.py).

    Raises
    ------
    ValueError : more than 20 ratios, whose patterns are too many to enumerate.
    """
    values = np.asarray(ratios, float)
    if values.size > _MAX_EXACT_PAIRS:
        raise ValueError(f"the exact test enumerates at most {_MAX_EXACT_PAIRS} pairs")
    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate([sums + value, sums - value])
    seen = abs(values.sum())
    tolerance = 1e-12 * max(1.0, float(np.abs(values).sum()))  # equal sums must count as equal
    return float(np.mean(np.abs(sums) >= seen - tolerance))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return Holm's step-down adjusted p-values, in the order given (Holm 1979)."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted, running = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(order):
        running = max(running, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = running
    return adjusted


def verdict(result: Estimate, noise_floor_percent: float | None = None, quick: bool = False) -> str:
    """Say what the estimate supports: "faster", "slower", "no difference shown" or "no verdict".

    A verdict needs an interval that excludes 1, the exact test's agreement (the interval
    alone is wrong in 5 % of A/A runs even when all its assumptions hold) and, where an A/A
    calibration measured this machine's noise floor, an effect beyond it. A quick run has
    too few pairs.
    """
    if quick or result.low is None or result.high is None or result.pairs < MIN_PAIRS_FOR_VERDICT:
        return NO_VERDICT
    effect_percent = 100 * (max(result.speedup, 1 / result.speedup) - 1)
    if (
        result.low <= 1 <= result.high
        or result.p_value is None
        or result.p_value > VERDICT_P_VALUE
        or effect_percent <= (noise_floor_percent or 0.0)
    ):
        return NO_DIFFERENCE
    return FASTER if result.speedup > 1 else SLOWER


def noise_floor_percent(same_against_itself: Estimate) -> float:
    """Return the noise floor of an A/A run: the farthest its interval reaches from 1, in percent."""
    if same_against_itself.low is None or same_against_itself.high is None:
        raise ValueError("an A/A calibration needs at least two pairs")
    return 100 * (max(same_against_itself.high, 1 / same_against_itself.low) - 1)


def wants_more_pairs(result: Estimate, precision_percent: float, most: int = MAX_ADAPTIVE_PAIRS) -> bool:
    """Return whether the stop rule asks for another pair: interval still too wide, cap not reached."""
    return result.pairs < most and result.half_width_percent > precision_percent


def drift_percent(launch_index: Sequence[float], medians: Sequence[float]) -> float:
    """Return how far launch times drifted over a run, in percent of their level.

    Least squares of log(median) on launch index, taken from the first launch to the
    last; positive means that later launches were slower. 0 with fewer than three.
    """
    x, y = np.asarray(launch_index, float), np.log(np.asarray(medians, float))
    if x.size < 3 or np.ptp(x) == 0:
        return 0.0
    slope = float(np.polyfit(x, y, 1)[0])
    return 100 * (math.exp(slope * float(np.ptp(x))) - 1)
