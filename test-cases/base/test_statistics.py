# SPDX-License-Identifier: Apache-2.0
"""Paired statistics against scipy's references, exact small cases, and properties."""

from __future__ import annotations

import itertools
import math
import random
import sys

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from model_profiling.paired_statistics import (
    Estimate,
    drift_percent,
    estimate,
    holm,
    log_ratios,
    noise_floor_percent,
    sign_flip_p_value,
    verdict,
    wants_more_pairs,
)

times = st.floats(0.01, 1e4, allow_nan=False)
paired = st.lists(st.tuples(times, times), min_size=2, max_size=12)


def test_three_pairs_of_a_known_speed_up() -> None:
    result = estimate([20.0, 20.0, 20.0], [10.0, 10.0, 10.0])
    assert result.speedup == pytest.approx(2.0)
    assert (result.low, result.high) == (pytest.approx(2.0), pytest.approx(2.0))
    assert result.p_value == pytest.approx(2 / 8)
    assert result.pairs == 3


def test_one_pair_has_no_interval() -> None:
    result = estimate([3.0], [2.0])
    assert result == Estimate(pytest.approx(1.5), None, None, None, None, 1)
    assert verdict(result) == "no verdict"


@settings(deadline=None)
@given(paired)
def test_the_interval_is_scipys_one_sample_t_interval_of_log_ratios(pairs: list[tuple[float, float]]) -> None:
    baseline, candidate = zip(*pairs, strict=True)
    ratios = np.log(np.array(baseline) / np.array(candidate))
    if np.std(ratios) < 1e-9:
        return
    result = estimate(baseline, candidate)
    reference = stats.ttest_1samp(ratios, 0.0)
    interval = reference.confidence_interval(0.95)
    assert math.log(result.low) == pytest.approx(interval.low, rel=1e-9, abs=1e-9)
    assert math.log(result.high) == pytest.approx(interval.high, rel=1e-9, abs=1e-9)
    assert result.t_p_value == pytest.approx(reference.pvalue, rel=1e-6, abs=1e-12)


def test_what_being_made_first_costs_is_taken_out_of_the_scatter() -> None:
    """A side that is made first takes 10 % longer: all that pairs scatter by, once the order is known."""
    first = [True, False, False, True, True, False, True, False]
    baseline, candidate = [1.05 * (1.1 if f else 1) for f in first], [1.0 if f else 1.1 for f in first]
    blind, told = estimate(baseline, candidate), estimate(baseline, candidate, first)
    assert told.speedup == blind.speedup == pytest.approx(1.05)
    assert (told.low, told.high) == (pytest.approx(1.05), pytest.approx(1.05))
    assert blind.low is not None and blind.low < 0.98
    assert estimate(baseline[:-1], candidate[:-1], first[:-1]) == estimate(baseline[:-1], candidate[:-1]), "4 and 3"


@given(st.lists(st.tuples(st.floats(0.5, 2.0), st.floats(0.5, 2.0)), min_size=3, max_size=7))
def test_the_crossover_interval_is_that_of_the_regression_on_order(pairs: list[tuple[float, float]]) -> None:
    """Against scipy's least squares of the log ratio on the order."""
    ratios = [ratio for both in pairs for ratio in both]
    first = [True, False] * len(pairs)
    assume(len({round(ratio, 3) for ratio in ratios}) > 2)
    found = estimate(ratios, [1.0] * len(ratios), first)
    fitted = stats.linregress([1.0 if f else -1.0 for f in first], np.log(ratios))
    reach = stats.t.ppf(0.975, len(ratios) - 2) * fitted.intercept_stderr
    assert math.log(found.speedup) == pytest.approx(fitted.intercept, abs=1e-9)
    assert math.log(found.high) == pytest.approx(fitted.intercept + reach, abs=1e-9)


@settings(deadline=None)
@given(paired)
def test_swapping_the_arms_inverts_the_estimate(pairs: list[tuple[float, float]]) -> None:
    baseline, candidate = zip(*pairs, strict=True)
    forward, backward = estimate(baseline, candidate), estimate(candidate, baseline)
    assert forward.speedup == pytest.approx(1 / backward.speedup)
    assert forward.low == pytest.approx(1 / backward.high)
    assert forward.p_value == pytest.approx(backward.p_value)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(-1000, 1000), min_size=1, max_size=8))
def test_the_sign_flip_p_value_counts_every_pattern(ratios: list[int]) -> None:
    seen = abs(sum(ratios))
    patterns = list(itertools.product((1, -1), repeat=len(ratios)))
    as_far = sum(abs(sum(s * r for s, r in zip(signs, ratios, strict=True))) >= seen for signs in patterns)
    assert sign_flip_p_value(ratios) == pytest.approx(as_far / len(patterns), abs=1e-9)


def test_above_20_pairs_the_t_test_stands_in() -> None:
    generator = random.Random(1)
    ratios = [generator.gauss(0.01, 0.02) for _ in range(21)]
    result = estimate([math.exp(r) for r in ratios], [1.0] * 21)
    assert result.p_value == result.t_p_value
    assert result.p_value == pytest.approx(sign_flip_p_value(ratios[:20]), abs=0.1)


def test_holms_worked_example() -> None:
    # Holm 1979, by hand: 0.01 * 4, then max(., 0.02 * 3), max(., 0.03 * 2), max(., 0.04 * 1).
    assert holm([0.04, 0.01, 0.03, 0.02]) == [pytest.approx(0.06)] + [pytest.approx(p) for p in (0.04, 0.06, 0.06)]


@given(st.lists(st.floats(0, 1), max_size=20))
def test_holm_never_lowers_a_p_value_and_keeps_their_order(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    assert all(p <= a <= 1 for p, a in zip(p_values, adjusted, strict=True))
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    assert [adjusted[i] for i in order] == sorted(adjusted)


@pytest.mark.parametrize(
    ("speedup", "low", "high", "floor", "quick", "said"),
    [
        (1.10, 1.05, 1.15, None, False, "faster"),
        (0.90, 0.85, 0.95, None, False, "slower"),
        (1.10, 0.99, 1.22, None, False, "no difference shown"),
        (1.02, 1.01, 1.03, 3.0, False, "no difference shown"),
        (1.10, 1.05, 1.15, 3.0, False, "faster"),
        (1.10, 1.05, 1.15, None, True, "no verdict"),
    ],
)
def test_verdicts(speedup: float, low: float, high: float, floor: float | None, quick: bool, said: str) -> None:
    assert verdict(Estimate(speedup, low, high, 0.01, 0.01, 8), floor, quick) == said


def test_five_unanimous_pairs_are_too_few_for_a_verdict() -> None:
    assert verdict(estimate([2.0] * 5, [1.0, 1.01, 0.99, 1.0, 1.0])) == "no verdict"
    assert verdict(estimate([2.0] * 6, [1.0, 1.01, 0.99, 1.0, 1.0, 1.0])) == "faster"


def test_noise_floor_is_the_farthest_reach_of_the_interval() -> None:
    assert noise_floor_percent(Estimate(1.0, 0.98, 1.01, 1.0, 1.0, 8)) == pytest.approx(100 * (1 / 0.98 - 1))


def test_the_stop_rule_asks_until_the_interval_is_narrow_or_the_cap_is_reached() -> None:
    wide = estimate([1.0, 1.2, 0.9, 1.1], [1.0, 1.0, 1.0, 1.0])
    assert wants_more_pairs(wide, precision_percent=1.0)
    assert not wants_more_pairs(wide, precision_percent=50.0)
    assert not wants_more_pairs(wide, precision_percent=1.0, most=4)


def test_drift_of_a_machine_that_slows_down_by_a_tenth() -> None:
    medians = [math.exp(math.log(1.1) * i / 15) for i in range(16)]
    assert drift_percent(range(16), medians) == pytest.approx(10.0)
    assert drift_percent([0, 1], [1.0, 2.0]) == 0.0


@pytest.mark.parametrize(
    ("baseline", "candidate"), [([], []), ([1.0], [1.0, 2.0]), ([0.0], [1.0]), ([math.nan], [1.0])]
)
def test_times_that_cannot_be_are_refused(baseline: list[float], candidate: list[float]) -> None:
    with pytest.raises(ValueError, match="launch"):
        log_ratios(baseline, candidate)


def test_the_paired_interval_covers_the_truth_under_drift() -> None:
    """95 % intervals should cover the true ratio about 95 % of the time, drift or not."""
    generator, covered, trials = random.Random(20260101), 0, 400
    for _ in range(trials):
        baseline, candidate = [], []
        for pair in range(8):
            level = 10 * (1 + 0.05 * pair / 8)  # the machine slows down by 5 % over the run
            baseline.append(level * 1.2 * math.exp(generator.gauss(0, 0.02)))
            candidate.append(level * math.exp(generator.gauss(0, 0.02)))
        result = estimate(baseline, candidate)
        covered += result.low <= 1.2 <= result.high
    # Binomial(400, 0.95): fewer than 366 happens once in ten thousand.
    assert covered >= 366


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
