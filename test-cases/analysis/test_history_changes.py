# SPDX-License-Identifier: Apache-2.0
"""Where the level of a noisy series changed: planted changes are found, noise is none."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.history import needs_ruptures

from model_profiling.analysis.history.metrics import LATENCY
from model_profiling.analysis.history.shifts import LEAST_RUNS, find_shifts

pytestmark = needs_ruptures

NOISE = 0.02
LEAST = LATENCY.least
#: The share of unchanged series in which a change may be found, and in which the newest run may be called new.
FALSE_ALARMS, FALSE_NEWS = 0.05, 0.08


def series(kind: str, runs: int, rng: np.random.Generator) -> np.ndarray:
    """Return logarithms of a level with noise as benchmarks have it."""
    if kind == "heavy":
        return NOISE * rng.standard_t(3, runs)
    noise = rng.normal(0, NOISE, runs)
    if kind == "slow outliers":
        noise += (rng.random(runs) < 1 / 12) * np.abs(rng.normal(0, 8 * NOISE, runs))
    if kind == "two modes":
        noise += (rng.random(runs) < 0.3) * 4 * NOISE
    return noise


KINDS = ("normal", "slow outliers", "heavy", "two modes")


@pytest.mark.parametrize("runs", [12, 30, 100, 500])
def test_noise_is_no_change(runs: int) -> None:
    """Of 400 series of noise without a change: few show one, fewer the longer they are."""
    rng = np.random.default_rng(runs)
    shifts = [find_shifts(list(np.exp(series(kind, runs, rng))), LEAST) for kind in KINDS for _ in range(100)]
    settled = sum(any(not shift.new for shift in found) for found in shifts) / len(shifts)
    new = sum(any(shift.new for shift in found) for found in shifts) / len(shifts)
    assert settled <= (FALSE_ALARMS if runs < 30 else 0.02) and new <= FALSE_NEWS


@pytest.mark.parametrize("kind", KINDS)
def test_a_planted_slowdown_is_found_where_it_is(kind: str) -> None:
    """15 % in the middle of 40 runs, noise of 2 %."""
    rng = np.random.default_rng(1)
    hits = 0
    for _ in range(50):
        values = series(kind, 40, rng)
        values[20:] += np.log(1.15)
        found = find_shifts(list(np.exp(values)), LEAST)
        hits += any(abs(shift.place - 20) <= 2 and 1.10 < shift.ratio < 1.20 for shift in found)
    assert hits >= 45


@settings(max_examples=60, deadline=None)
@given(st.integers(LEAST_RUNS, 60), st.floats(1e-3, 1e6), st.floats(1.3, 20), st.integers(0, 2**32 - 1), st.booleans())
def test_it_does_not_matter_in_which_unit_or_direction(
    runs: int, unit: float, step: float, seed: int, slower: bool
) -> None:
    rng = np.random.default_rng(seed)
    values = np.exp(rng.normal(0, NOISE, runs))
    values[runs // 2 :] *= step if slower else 1 / step
    found, scaled_found = find_shifts(list(values), LEAST), find_shifts(list(values * unit), LEAST)
    assert [shift.place for shift in found] == [shift.place for shift in scaled_found]
    assert [shift.ratio for shift in found] == pytest.approx([shift.ratio for shift in scaled_found])
    mirrored = [(shift.place, 1 / shift.ratio) for shift in find_shifts(list(1 / values), LEAST)]
    assert [place for place, _ in mirrored] == [shift.place for shift in found]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(1e-6, 1e6), max_size=40))
def test_any_positive_series_has_an_answer(values: list[float]) -> None:
    found = find_shifts(values, LEAST)
    assert all(0 < shift.place < len(values) and shift.runs[0] > 0 and shift.runs[1] > 0 for shift in found)
    assert [shift.place for shift in found] == sorted({shift.place for shift in found})
    assert found == () or len(values) >= LEAST_RUNS


def test_equal_values_have_no_change() -> None:
    assert find_shifts([3.0] * 50, LEAST) == ()


def test_one_slow_run_is_no_change_unless_it_is_the_newest() -> None:
    values = list(np.exp(np.random.default_rng(2).normal(0, NOISE, 20)))
    values[10] = 2.0
    assert find_shifts(values, LEAST) == ()
    [newest] = find_shifts(values[:11], LEAST)
    assert (newest.place, newest.runs, newest.new) == (10, (10, 1), True)


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
