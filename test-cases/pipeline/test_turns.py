# SPDX-License-Identifier: Apache-2.0
"""Processes that take turns: what a runner does when it is told to, and how several are told."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.launches import BOTH

from model_profiling.analysis.traces.etdump import read_etdump
from model_profiling.errors import MeasurementError, UserError
from model_profiling.pipeline.lockstep.conductor import Gone, LaunchCommand, TurnTaker
from model_profiling.pipeline.lockstep.turn_plan import (
    FEWEST_ROUNDS,
    LEAST_ROUNDS,
    LEAST_SIDE_NS,
    LONG_NS,
    STRETCH,
    TURN_NS,
    plan_turns,
)
from model_profiling.pipeline.runners import LaunchRequest, choose_runner
from model_profiling.pipeline.schedule import shuffled
from model_profiling.processes import run_child

LIMIT_S = 120.0
S = 1_000_000_000
TIMES = st.integers(1_000, 20 * S)


Requests = Callable[..., LaunchRequest]


def command(kind: str, request: LaunchRequest) -> LaunchCommand:
    argv, env = choose_runner(kind, None).command(request)
    return LaunchCommand(argv, env, request.log)


# ---------------------------------------------------------------- a runner


@pytest.mark.slow
@pytest.mark.parametrize("kind", BOTH)
def test_executions_are_those_that_were_asked_for(kind: str, request_for: Requests) -> None:
    request = request_for("turns", runs=0, traced_runs=1, take_turns=True)
    with TurnTaker(command(kind, request), LIMIT_S) as side:
        ready = side.ready()
        assert ready.execution_ns > 0 and ready.peak_rss_bytes > 1 << 20
        turns = [side.turn(3), side.turn(1), side.turn(2)]
        assert side.trace().execution_ns > 0
        traced = [side.turn(2), side.turn(2)]
        child = side.end()
    assert [len(turn.ns) for turn in (*turns, *traced)] == [3, 1, 2, 2, 2]
    for turn in (*turns, *traced):
        assert sum(turn.ns) <= turn.wall_ns and turn.cpu_ns >= 0 and turn.involuntary_switches >= 0
    measured = choose_runner(kind, None).read(replace(request, runs=6, traced_runs=4), child)
    assert measured.latency_ns == tuple(ns for turn in turns for ns in turn.ns)
    assert measured.traced_ns == tuple(ns for turn in traced for ns in turn.ns)
    assert read_etdump(request.etdump).blocks == ("Execute",) * 4, "one for each traced execution"


@pytest.mark.slow
@pytest.mark.parametrize("kind", BOTH)
def test_outputs_are_those_of_a_launch_without_turns(kind: str, request_for: Requests) -> None:
    runner, request = choose_runner(kind, None), request_for("turns", runs=0, traced_runs=1, take_turns=True)
    with TurnTaker(command(kind, request), LIMIT_S) as side:
        side.ready()
        side.turn(1)
        taken = runner.read(replace(request, runs=1, traced_runs=0), side.end())
    plain = replace(request_for("plain"), take_turns=False, runs=1)
    argv, env = runner.command(plain)
    whole = runner.read(plain, run_child(argv, env=env, timeout_s=LIMIT_S, log=plain.log))
    assert [o.path.read_bytes() for o in taken.outputs] == [o.path.read_bytes() for o in whole.outputs] != []


@pytest.mark.slow
@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("turn 1\nturn x\n", "turn x"),
        ("turn 0\n", "turn 0"),
        ("turn -1\n", "turn -1"),
        ("turn 99999999999\n", "turn 99999999999"),
        ("stop\n", '"stop" is no command of a process that takes turns'),
        ("turn 1\n", "the program that gave the turns has ended"),
    ],
)
def test_what_is_no_command_ends_it_in_one_line(kind: str, said: str, told: str, request_for: Requests) -> None:
    argv, env = choose_runner(kind, None).command(request_for("turns", runs=0, traced_runs=1, take_turns=True))
    done = subprocess.run(argv, input=said, capture_output=True, text=True, timeout=LIMIT_S)
    errors = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert done.returncode == 1 and len(errors) == 1 and told in errors[0] and "Traceback" not in done.stderr


# ---------------------------------------------------------------- who tells them


def shell(script: str, tmp_path: Path) -> LaunchCommand:
    return LaunchCommand(["sh", "-c", script], {}, tmp_path / "log")


READY = """echo '{"execution_ns": 5, "peak_rss_bytes": 7}'"""


def test_a_side_that_dies_is_named_with_its_signal(tmp_path: Path) -> None:
    with TurnTaker(shell(f"{READY}; read line; kill -9 $$", tmp_path), LIMIT_S) as side:
        side.ready()
        with pytest.raises(Gone, match="was ended by SIGKILL") as raised:
            side.turn(1)
        assert raised.value.child.signal == "SIGKILL"


def test_a_side_that_is_silent_ends_with_the_limit(tmp_path: Path) -> None:
    with TurnTaker(shell(f"{READY}; read line; sleep 60", tmp_path), 0.2) as side:
        side.ready()
        with pytest.raises(MeasurementError, match="no answer within"):
            side.turn(1)


def test_no_process_is_left_when_the_other_fails(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    with (
        pytest.raises(Gone),
        TurnTaker(shell(f"echo $$ > {pid}; {READY}; sleep 60", tmp_path), LIMIT_S) as one,
        TurnTaker(shell(f"{READY}; exit 3", tmp_path), LIMIT_S) as two,
    ):
        one.ready(), two.ready()
        two.turn(1)
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


@pytest.mark.parametrize("answer", ["nonsense", "[]", "{}", '{"execution_ns": "x", "peak_rss_bytes": 1}'])
def test_an_answer_of_another_shape_is_refused(answer: str, tmp_path: Path) -> None:
    with TurnTaker(shell(f"echo '{answer}'; read line", tmp_path), LIMIT_S) as side:
        with pytest.raises((MeasurementError, UserError)) as raised:
            side.ready()
        assert "\n" not in str(raised.value)


def test_a_program_that_is_not_there_is_the_users_to_mend(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot start"):
        TurnTaker(LaunchCommand([str(tmp_path / "gone")], {}, tmp_path / "log"), LIMIT_S)


# ---------------------------------------------------------------- how long a turn is


def test_the_plan_of_a_model_of_two_milliseconds() -> None:
    plan = plan_turns({"off": 2_000_000, "on": 1_000_000}, 20)
    assert (plan.executions, plan.counted) == ({"off": 6, "on": 11}, {"off": 5, "on": 10})
    assert plan.rounds == 30 and plan.duration_ns({"off": 2_000_000, "on": 1_000_000}) == 30 * 23_000_000


@given(off=TIMES, on=TIMES, least=st.integers(1, 5000), budget=st.integers(1, 100 * S))
def test_a_plan_keeps_its_promises(off: int, on: int, least: int, budget: int) -> None:
    times = {"off": off, "on": on}
    plan = plan_turns(times, least, budget)
    assert plan.rounds >= FEWEST_ROUNDS
    if plan.rounds < LEAST_ROUNDS:
        assert plan.duration_ns(times) / plan.rounds * LEAST_ROUNDS > STRETCH * budget, "15 rounds do not fit"
    for side, ns in times.items():
        assert plan.executions[side] - plan.counted[side] == (ns < LONG_NS)
        assert plan.counted[side] * ns >= min(TURN_NS, ns)
        if plan.duration_ns(times) < budget - sum(plan.executions[s] * t for s, t in times.items()):
            assert plan.rounds * plan.counted[side] >= max(least, LEAST_SIDE_NS / ns)
    if plan.rounds > FEWEST_ROUNDS:
        assert plan.duration_ns(times) <= (budget if plan.rounds > LEAST_ROUNDS else STRETCH * budget)


@pytest.mark.parametrize(
    ("execution_ns", "executions", "rounds"),
    [(10_000, 1001, 30), (2_000_000, 6, 30), (50_000_000, 2, 20), (1 * S, 1, 15), (5 * S, 1, 6), (60 * S, 1, 3)],
    ids=["10 us", "2 ms", "50 ms", "1 s", "5 s", "60 s"],
)
def test_a_model_of_any_speed_has_its_turns(execution_ns: int, executions: int, rounds: int) -> None:
    plan = plan_turns({"off": execution_ns, "on": execution_ns}, 20)
    assert (plan.executions["on"], plan.rounds) == (executions, rounds)


def test_a_coin_orders_the_sides() -> None:
    keys = [("round", pair, number) for pair in range(8) for number in range(30)]
    orders = [shuffled(("on", "off"), 7, *key) for key in keys]
    assert orders == [shuffled(("off", "on"), 7, *key) for key in keys]
    assert 90 <= orders.count(("off", "on")) <= 150
