# SPDX-License-Identifier: Apache-2.0
"""Comparing the parts of a model: Holm's correction, the clock's limits, missing sides."""

from __future__ import annotations

import random
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_profiling.analysis.comparing.part_times import PartTimes, pair_times
from model_profiling.analysis.comparing.parts import compare_parts
from model_profiling.analysis.traces.recording import ExecutionTurns
from model_profiling.report.quantities import quantity
from model_profiling.rounding import places_for

STEADY = [100.0, 101.0, 99.0, 100.5, 100.0, 99.5, 100.0, 101.0]


def scaled(factor: float) -> list[float]:
    return [value * factor for value in STEADY]


def test_a_part_that_got_faster_and_one_that_got_slower() -> None:
    found = compare_parts({"a": scaled(2), "b": STEADY}, {"a": STEADY, "b": scaled(1.5)}, {}, quick=False)
    assert (found["a"].verdict, found["a"].speedup) == ("faster", pytest.approx(2))
    assert (found["b"].verdict, found["b"].speedup) == ("slower", pytest.approx(1 / 1.5))


def test_a_quick_run_and_few_pairs_give_no_verdict() -> None:
    assert compare_parts({"a": scaled(2)}, {"a": STEADY}, {}, quick=True)["a"].verdict == "no verdict"
    assert compare_parts({"a": scaled(2)[:4]}, {"a": STEADY[:4]}, {}, quick=False)["a"].verdict == "no verdict"


def test_under_20_us_there_is_no_verdict() -> None:
    short = compare_parts({"a": [30.0] * 8}, {"a": [19.0, 19.5] * 4}, {}, quick=False)["a"]
    assert short.verdict == "no verdict" and short.p_value is None


def test_a_difference_within_the_clocks_resolution_is_not_shown() -> None:
    """42 calls rounded to whole microseconds may be 42 us off, however steady they are."""
    before, after = [540.0, 541.0] * 4, [520.0, 521.0] * 4
    assert compare_parts({"a": before}, {"a": after}, {"a": 42.0}, quick=False)["a"].verdict == "no difference shown"
    assert compare_parts({"a": before}, {"a": after}, {"a": 4.0}, quick=False)["a"].verdict == "faster"


def test_a_part_that_one_side_lacks() -> None:
    found = compare_parts({"pack": STEADY}, {}, {}, quick=False)["pack"]
    assert (found.baseline_us, found.candidate_us, found.speedup, found.verdict) == (100.0, None, None, "no verdict")


def test_parts_that_do_no_work_have_no_ratio() -> None:
    assert compare_parts({"reshape": [0.0] * 8}, {"reshape": [0.0] * 8}, {}, quick=False)["reshape"].speedup is None


def test_among_200_equal_parts_hardly_one_is_named() -> None:
    """Without a correction ten of 200 would be; with Holm's, any at all in 5 % of experiments."""
    generator, experiments_with_a_false_verdict = random.Random(1), 0
    for _ in range(40):
        sides = [
            {part: [100 * (1 + generator.gauss(0, 0.02)) for _ in range(8)] for part in range(200)} for _ in range(2)
        ]
        found = compare_parts(*sides, {}, quick=False)
        experiments_with_a_false_verdict += any(p.verdict in ("faster", "slower") for p in found.values())
    assert experiments_with_a_false_verdict <= 6  # Binomial(40, 0.05): more happens once in 300


# Times beside their ratio


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.floats(20, 1e6), st.floats(20, 1e6), st.floats(0.5, 2)), min_size=1, max_size=12),
    st.floats(0, 1e3),
)
def test_times_that_are_shown_have_the_ratio_that_is_shown(
    pairs: list[tuple[float, float, float]], spread: float
) -> None:
    """However noisy the pairs: off over on is the ratio, to the digits that the report shows of them."""
    before = [off * noise for off, _, noise in pairs]
    after = [on / noise for _, on, noise in pairs]
    part = compare_parts({"p": before}, {"p": after}, {}, quick=False)["p"]
    assert part.baseline_us / part.candidate_us == pytest.approx(part.speedup, rel=1e-9)
    shown = [quantity(us, "", places_for(spread, us)) for us in (part.baseline_us, part.candidate_us)]
    off, on = (float(x.text.replace(",", "")) for x in shown)
    halves = [0.5 * 10.0**-x.places for x in shown]
    if on > halves[1]:
        assert (off - halves[0]) / (on + halves[1]) <= part.speedup * (1 + 1e-9)
        assert part.speedup <= (off + halves[0]) / (on - halves[1]) * (1 + 1e-9)


def test_a_pair_in_lockstep_has_the_ratio_of_neighboring_turns() -> None:
    """The machine at half its clock for two rounds of five: medians of the sides would say 0.75, the rounds say 1.5."""
    rounds = np.repeat(np.arange(5), 2)
    clock = np.array([1, 1, 2, 2, 1])[rounds]
    places = rounds % 2
    first = PartTimes({"conv": 30.0 * clock, "other": np.zeros(10)}, ExecutionTurns(rounds, places))
    second = PartTimes({"conv": 20.0 * clock[2:]}, ExecutionTurns(rounds[2:], 1 - places[2:]))
    before, after = pair_times(first, second)
    assert before["conv"] / after["conv"] == pytest.approx(1.5)
    assert (before["other"], after["other"]) == (0.0, 0.0)


def test_launches_that_took_no_turns_have_their_medians() -> None:
    first, second = (PartTimes({"conv": np.array(times)}, None) for times in ([1.0, 2.0, 9.0], [4.0, 5.0, 6.0]))
    assert pair_times(first, second) == ({"conv": 2.0}, {"conv": 5.0})


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
