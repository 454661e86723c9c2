# SPDX-License-Identifier: Apache-2.0
"""What rounds say: the ratio is that of neighboring turns, and what is set aside follows from the processor alone."""

from __future__ import annotations

import math
import random
import statistics
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_profiling.pipeline.lockstep.rounds import LEAST_KEPT, TurnRecord, disturbed_rounds, side_times_ns
from model_profiling.pipeline.lockstep.turn import Turn

TIME = st.floats(1e3, 1e10)
CALM = Turn(ns=(1000, 1000), wall_ns=2000, cpu_ns=1990, involuntary_switches=0, steal_ns=0, frequency_khz=None)


@given(st.lists(st.tuples(TIME, TIME), min_size=1, max_size=40))
def test_two_sides_have_the_median_ratio_of_their_rounds(rounds: list[tuple[float, float]]) -> None:
    off, on = side_times_ns(rounds)
    logs = [math.log(a / b) for a, b in rounds]
    assert math.log(off / on) == pytest.approx(statistics.median(logs), abs=1e-9)


@given(st.lists(st.tuples(TIME, TIME, TIME), min_size=1, max_size=20), st.floats(1e-3, 1e3))
def test_a_slower_machine_changes_no_ratio(rounds: list[tuple[float, float, float]], factor: float) -> None:
    before = side_times_ns(rounds)
    after = side_times_ns([tuple(time * factor for time in times) for times in rounds])
    for a, b in zip(before, after, strict=True):
        assert b == pytest.approx(a * factor, rel=1e-9)


def test_what_happens_to_both_sides_of_a_round_cancels() -> None:
    """Half of the rounds on a clock of half the speed: each side alone scatters by 2, their ratio not at all."""
    rounds = [(3.0 * clock, 2.0 * clock) for clock in (1, 1, 2, 2, 2, 1)]
    off, on = side_times_ns(rounds)
    assert off / on == pytest.approx(1.5)


def test_calm_rounds_all_count() -> None:
    generator = random.Random(3)
    turns = [[replace(CALM, cpu_ns=2000 - generator.randrange(40)) for _ in range(30)] for _ in range(2)]
    assert disturbed_rounds(turns) == {}


def test_a_round_is_set_aside_where_one_of_its_turns_lost_the_processor() -> None:
    off, on = [CALM] * 20, [CALM] * 20
    off[3] = replace(CALM, wall_ns=4000)
    on[7] = replace(CALM, wall_ns=2500)
    assert disturbed_rounds([off, on]) == {3: "lost 50 % of the processor", 7: "lost 20 % of the processor"}


def test_the_times_of_executions_decide_nothing() -> None:
    off = [replace(CALM, ns=(number * 1000, 5)) for number in range(1, 21)]
    assert disturbed_rounds([off, [CALM] * 20]) == {}


def test_four_threads_are_four_times_the_processor() -> None:
    pool = [replace(CALM, cpu_ns=7900)] * 19 + [replace(CALM, cpu_ns=5900)]
    assert disturbed_rounds([pool, [CALM] * 20]) == {19: "lost 25 % of the processor"}


@given(st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 5000)), min_size=1, max_size=60))
def test_enough_rounds_stay_however_busy_it_is(cpu: list[tuple[int, int]]) -> None:
    sides = [[replace(CALM, cpu_ns=row[side]) for row in cpu] for side in range(2)]
    assert len(cpu) - len(disturbed_rounds(sides)) >= LEAST_KEPT * len(cpu)


def test_a_record_comes_back_from_its_line() -> None:
    record = TurnRecord.of(CALM, round_=4, order=1, traced=False, left_out=1)
    plain = {**record.__dict__}
    assert TurnRecord.from_line(plain) == record and record.counted_ns == (1000,)
    with pytest.raises(ValueError, match="colour"):
        TurnRecord.from_line({**plain, "colour": "red"})
