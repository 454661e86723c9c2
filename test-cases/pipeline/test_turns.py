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
from model_profiling.pipeline.lockstep.conductor import Gone, LaunchCommand, SideFailed, TurnTaker, conduct
from model_profiling.pipeline.lockstep.script import END, START, TRACE, Coin, Cue, TurnCue, script_of
from model_profiling.pipeline.lockstep.turn import Ready, Turn
from model_profiling.pipeline.lockstep.turn_plan import (
    FEWEST_ROUNDS,
    LEAST_ROUNDS,
    LONG_NS,
    STRETCH,
    TURN_NS,
    Work,
    plan_turns,
)
from model_profiling.pipeline.run_plan import AUTO_WORK
from model_profiling.pipeline.runners import LaunchRequest, choose_runner
from model_profiling.processes import run_child

LIMIT_S = 120.0
S = 1_000_000_000
TIMES = st.integers(1_000, 20 * S)
WORK = st.builds(Work, st.integers(1, 5000), st.integers(0, S))


Requests = Callable[..., LaunchRequest]


def command(kind: str, request: LaunchRequest) -> LaunchCommand:
    argv, env = choose_runner(kind, None).command(request)
    return LaunchCommand(argv, env, request.log, request.log.parent)


def taken(side: TurnTaker, executions: int) -> Turn:
    return Turn.from_json(side.ask(f"turn {executions}"))


# ---------------------------------------------------------------- a runner


@pytest.mark.slow
@pytest.mark.parametrize("kind", BOTH)
def test_executions_are_those_that_were_asked_for(kind: str, request_for: Requests) -> None:
    request = request_for("turns", runs=0, traced_runs=1, take_turns=True)
    with TurnTaker(command(kind, request), LIMIT_S) as side:
        ready = Ready.from_json(side.answer())
        assert ready.execution_ns > 0 and ready.peak_rss_bytes > 1 << 20
        turns = [taken(side, 3), taken(side, 1), taken(side, 2)]
        assert Ready.from_json(side.ask(TRACE)).execution_ns > 0
        traced = [taken(side, 2), taken(side, 2)]
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
        side.answer()
        taken(side, 1)
        measured = runner.read(replace(request, runs=1, traced_runs=0), side.end())
    plain = replace(request_for("plain"), take_turns=False, runs=1)
    argv, env = runner.command(plain)
    whole = runner.read(plain, run_child(argv, env=env, timeout_s=LIMIT_S, log=plain.log))
    assert [o.path.read_bytes() for o in measured.outputs] == [o.path.read_bytes() for o in whole.outputs] != []


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
    return LaunchCommand(["sh", "-c", script], {}, tmp_path / "log", tmp_path)


READY = """echo '{"execution_ns": 5, "peak_rss_bytes": 7}'"""


def test_a_side_that_dies_is_named_with_its_signal(tmp_path: Path) -> None:
    with TurnTaker(shell(f"{READY}; read line; kill -9 $$", tmp_path), LIMIT_S) as side:
        side.answer()
        with pytest.raises(Gone, match="was ended by SIGKILL") as raised:
            side.ask("turn 1")
        assert raised.value.child.signal == "SIGKILL"


def test_a_side_that_is_silent_ends_with_the_limit(tmp_path: Path) -> None:
    with TurnTaker(shell(f"{READY}; read line; sleep 60", tmp_path), 0.2) as side:
        side.answer()
        with pytest.raises(MeasurementError, match="no answer within"):
            side.ask("turn 1")


def test_no_process_is_left_when_the_other_fails(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    with (
        pytest.raises(Gone),
        TurnTaker(shell(f"echo $$ > {pid}; {READY}; sleep 60", tmp_path), LIMIT_S) as one,
        TurnTaker(shell(f"{READY}; exit 3", tmp_path), LIMIT_S) as two,
    ):
        one.answer(), two.answer()
        two.ask("turn 1")
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


@pytest.mark.parametrize("answer", ["nonsense", "[]", "{}", '{"execution_ns": "x", "peak_rss_bytes": 1}'])
def test_an_answer_of_another_shape_is_refused(answer: str, tmp_path: Path) -> None:
    with TurnTaker(shell(f"echo '{answer}'; read line", tmp_path), LIMIT_S) as side:
        with pytest.raises((MeasurementError, UserError)) as raised:
            Ready.from_json(side.answer())
        assert "\n" not in str(raised.value)


def test_a_program_that_is_not_there_is_the_users_to_mend(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot start"):
        TurnTaker(LaunchCommand([str(tmp_path / "gone")], {}, tmp_path / "log", tmp_path), LIMIT_S)


def test_whose_fault_it_was_is_known(tmp_path: Path) -> None:
    scripts = [f"{READY}; read line; exit 0", f"{READY}; exit 3"]
    steps = [Cue(0, START), Cue(1, START), Cue(1, "turn 1"), Cue(0, END), Cue(1, END)]
    with pytest.raises(SideFailed) as raised:
        conduct(steps, lambda side: TurnTaker(shell(scripts[side], tmp_path), LIMIT_S))
    assert raised.value.side == 1 and raised.value.child.exit_code == 3


# ---------------------------------------------------------------- how long a turn is


def test_the_plan_of_a_model_of_two_milliseconds() -> None:
    plan = plan_turns({"off": 2_000_000, "on": 1_000_000}, {"off": AUTO_WORK, "on": AUTO_WORK})
    assert (plan.executions, plan.counted, plan.left_out) == (11, 10, 1), "10 ms of the faster side"
    assert plan.rounds == 30 and plan.duration_ns({"off": 2_000_000, "on": 1_000_000}) == 30 * 33_000_000


@given(off=TIMES, on=TIMES, work=WORK, budget=st.integers(1, 100 * S))
def test_a_plan_keeps_its_promises(off: int, on: int, work: Work, budget: int) -> None:
    times = {"off": off, "on": on}
    plan = plan_turns(times, {"off": work, "on": work}, budget)
    assert plan.rounds >= FEWEST_ROUNDS and plan.rounds % 2 == 0, "rounds of either order"
    if plan.rounds < LEAST_ROUNDS:
        assert plan.duration_ns(times) / plan.rounds * LEAST_ROUNDS > STRETCH * budget, "16 rounds do not fit"
    assert plan.left_out == (min(off, on) < LONG_NS)
    for ns in times.values():
        assert plan.counted * ns >= min(TURN_NS, ns)
        if plan.duration_ns(times) < budget - 2 * plan.executions * (off + on):
            assert plan.rounds * plan.counted >= max(work.executions, work.ns / ns)
    if plan.rounds > FEWEST_ROUNDS:
        assert plan.duration_ns(times) <= (budget if plan.rounds > LEAST_ROUNDS else STRETCH * budget)


@pytest.mark.parametrize(
    ("execution_ns", "executions", "rounds"),
    [(10_000, 1001, 30), (2_000_000, 6, 30), (50_000_000, 2, 20), (1 * S, 1, 16), (5 * S, 1, 6), (60 * S, 1, 4)],
    ids=["10 us", "2 ms", "50 ms", "1 s", "5 s", "60 s"],
)
def test_a_model_of_any_speed_has_its_turns(execution_ns: int, executions: int, rounds: int) -> None:
    plan = plan_turns({"off": execution_ns, "on": execution_ns}, {"off": AUTO_WORK, "on": AUTO_WORK})
    assert (plan.executions, plan.rounds) == (executions, rounds)


# ---------------------------------------------------------------- what a pair is told


def test_the_script_of_a_pair() -> None:
    """Both are made, take turns, are traced in turns and ended; the coin says who begins a round."""
    plan = plan_turns({"off": 50_000_000, "on": 50_000_000}, {"off": Work(1), "on": Work(1)}, budget_ns=0)
    steps = script_of(plan, ["on", "off"], {"on": 2, "off": 1}, Coin(7, (1, 0, 0)))
    assert plan.rounds == FEWEST_ROUNDS and [step.says for step in steps] == [
        *(START, START),
        *["turn 2"] * 2 * FEWEST_ROUNDS,
        *(TRACE, TRACE),
        *["turn 2"] * 3,
        *(END, END),
    ]
    turns = [step for step in steps if isinstance(step, TurnCue)]
    assert [(turn.round, turn.order) for turn in turns] == [
        *[(number, order) for number in range(FEWEST_ROUNDS) for order in (0, 1)],
        *[(0, 0), (0, 1), (1, 0)],
    ]
    sides = [turn.side for turn in turns if not turn.traced]
    assert all(sides[n : n + 2] == sides[n + 2 : n + 4][::-1] for n in range(0, len(sides), 4)), "twos of rounds"
    assert [turn.side for turn in turns if turn.traced][2] == 0, "the side called on has one more execution to trace"


@given(
    sides=st.lists(st.sampled_from("abcd"), min_size=1, max_size=4, unique=True),
    times=st.lists(TIMES, min_size=4, max_size=4),
    traced=st.lists(st.integers(0, 12), min_size=4, max_size=4),
    seed=st.integers(0, 1000),
)
def test_a_script_has_a_turn_of_everybody_in_each_round(
    sides: list[str], times: list[int], traced: list[int], seed: int
) -> None:
    plan = plan_turns(dict(zip(sides, times, strict=False)), dict.fromkeys(sides, AUTO_WORK))
    wanted = dict(zip(sides, traced, strict=False))
    steps = script_of(plan, sides, wanted, Coin(seed, (1, 2, 0)))
    turns = [step for step in steps if isinstance(step, TurnCue)]
    for number in range(plan.rounds):
        of_round = [turn for turn in turns if turn.round == number and not turn.traced]
        assert sorted(turn.side for turn in of_round) == list(range(len(sides)))
        assert [turn.order for turn in of_round] == list(range(len(sides)))
    for side, name in enumerate(sides):
        mine = [turn for turn in turns if turn.side == side and turn.traced]
        assert sum(int(turn.says.split()[1]) - turn.left_out for turn in mine) == wanted[name]
        assert (Cue(side, TRACE) in steps) == (wanted[name] > 0)


def test_a_coin_orders_the_sides() -> None:
    """Each side begins half of the rounds; which of two it begins is the coin's."""
    coins = [Coin(7, (1, pair, 0)) for pair in range(8)]
    orders = [coin.order("round", number, ("on", "off")) for coin in coins for number in range(30)]
    assert orders == [coin.order("round", number, ("off", "on")) for coin in coins for number in range(30)]
    assert orders.count(("off", "on")) == 120
    assert 40 <= orders[::2].count(("off", "on")) <= 80
