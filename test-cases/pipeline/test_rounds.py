# SPDX-License-Identifier: Apache-2.0
"""What rounds say: the ratio is that of neighboring turns, and what is set aside follows from the processor alone."""

from __future__ import annotations

import itertools
import math
import random
import statistics
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_profiling.pipeline.lockstep.rounds import TurnRecord, counted_executions, disturbed_rounds, side_times_ns
from model_profiling.pipeline.lockstep.turn import Turn

TIME = st.floats(1e3, 1e10)
CALM = Turn(ns=(1000, 1000), wall_ns=2000, cpu_ns=1990, involuntary_switches=0, steal_ns=0, frequency_khz=None)


@given(st.lists(st.tuples(TIME, TIME), min_size=1, max_size=40), st.lists(st.tuples(TIME, TIME), max_size=40))
def test_two_sides_have_the_median_ratio_of_their_rounds(
    off_first: list[tuple[float, float]], on_first: list[tuple[float, float]]
) -> None:
    """The mean of two medians: of the rounds that one side began, and of the others."""
    rounds = [{0: off, 1: on} for off, on in off_first] + [{1: on, 0: off} for off, on in on_first]
    off, on = side_times_ns(rounds)
    medians = [statistics.median(math.log(a / b) for a, b in half) for half in (off_first, on_first) if half]
    assert math.log(off / on) == pytest.approx(statistics.fmean(medians), abs=1e-9)


@given(st.lists(st.permutations([0, 1, 2]), min_size=1, max_size=20), st.data(), st.floats(1e-3, 1e3))
def test_a_slower_machine_changes_no_ratio(orders: list[list[int]], data: st.DataObject, factor: float) -> None:
    rounds = [{side: data.draw(TIME) for side in order} for order in orders]
    before = side_times_ns(rounds)
    after = side_times_ns([{side: time * factor for side, time in times.items()} for times in rounds])
    for a, b in zip(before, after, strict=True):
        assert b == pytest.approx(a * factor, rel=1e-9)


def test_what_happens_to_both_sides_of_a_round_cancels() -> None:
    """Half of the rounds on a clock of half the speed: each side alone scatters by 2, their ratio not at all."""
    off, on = side_times_ns([{0: 3.0 * clock, 1: 2.0 * clock} for clock in (1, 1, 2, 2, 2, 1)])
    assert off / on == pytest.approx(1.5)


@pytest.mark.parametrize("set_aside", [[], [0], [0, 2, 4], [1, 5, 6, 7]])
def test_what_being_first_saves_cancels(set_aside: list[int]) -> None:
    """The turn that comes first is 10 % faster; the sides' ratio is 1.5 whichever rounds were set aside."""
    rounds = [{0: 3.0, 1: 2.0 * 1.1} if number % 2 else {1: 2.0, 0: 3.0 * 1.1} for number in range(12)]
    off, on = side_times_ns([times for number, times in enumerate(rounds) if number not in set_aside])
    assert off / on == pytest.approx(1.5)


def test_of_three_sides_every_two_have_their_ratio_whoever_was_first() -> None:
    orders = list(itertools.permutations("abc"))
    true, saved = {"a": 4.0, "b": 2.0, "c": 1.0}, (1.0, 1.05, 1.1)
    rounds = [{"abc".index(s): true[s] * factor for s, factor in zip(o, saved, strict=True)} for o in orders]
    a, b, c = side_times_ns(rounds)
    assert (a / b, b / c) == (pytest.approx(2.0), pytest.approx(2.0))


def test_calm_rounds_all_count() -> None:
    generator = random.Random(3)
    turns = [[replace(CALM, cpu_ns=2000 - generator.randrange(40)) for _ in range(30)] for _ in range(2)]
    assert disturbed_rounds(turns) == {}


def test_a_round_is_disturbed_where_one_of_its_turns_lost_the_processor() -> None:
    off, on = [CALM] * 20, [CALM] * 20
    off[3] = replace(CALM, wall_ns=4000)
    on[7] = replace(CALM, wall_ns=2500)
    assert disturbed_rounds([off, on]) == {3: "lost 50 % of the processor", 7: "lost 20 % of the processor"}


def test_what_the_hypervisor_takes_and_a_slower_clock_disturb_too() -> None:
    off, on = ([replace(CALM, frequency_khz=2_000_000)] * 20 for _ in range(2))
    off[1] = replace(off[1], steal_ns=600)
    on[4] = replace(on[4], frequency_khz=1_500_000)
    on[5] = replace(on[5], frequency_khz=1_900_000)
    assert disturbed_rounds([off, on]) == {1: "lost 30 % to the hypervisor", 4: "ran 25 % below the usual frequency"}
    often = [replace(turn, steal_ns=1000) for turn in off]
    assert disturbed_rounds([often, often]) == {}, "64 cores lose something all the time"


def test_the_times_of_executions_decide_nothing() -> None:
    off = [replace(CALM, ns=(number * 1000, 5)) for number in range(1, 21)]
    assert disturbed_rounds([off, [CALM] * 20]) == {}


def test_four_threads_are_four_times_the_processor() -> None:
    pool = [replace(CALM, cpu_ns=7900)] * 19 + [replace(CALM, cpu_ns=5900)]
    assert disturbed_rounds([pool, [CALM] * 20]) == {19: "lost 25 % of the processor"}


def test_of_a_disturbed_turn_the_fastest_execution_counts() -> None:
    turn = TurnRecord.of(replace(CALM, ns=(9, 3, 2, 7)), round_=0, order=0, traced=False, left_out=1)
    assert turn.counted_ns == (3, 2, 7)
    disturbed = replace(turn, set_aside="lost 50 % of the processor")
    assert disturbed.counted_ns == (2,)
    assert counted_executions([turn, disturbed]) == (3, 2, 7, 2)


def test_a_record_comes_back_from_its_line() -> None:
    record = TurnRecord.of(CALM, round_=4, order=1, traced=False, left_out=1)
    plain = {**record.__dict__}
    assert TurnRecord.from_line(plain) == record and record.counted_ns == (1000,)
    with pytest.raises(ValueError, match="colour"):
        TurnRecord.from_line({**plain, "colour": "red"})
