# SPDX-License-Identifier: Apache-2.0
"""How a run is planned by what one process of each side showed, and what fits into the time that a user has."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.kit import kit, write_config

from model_profiling.errors import UserError
from model_profiling.json_objects import JsonObject
from model_profiling.pipeline.config import LAUNCHES, LOCKSTEP, Experiment
from model_profiling.pipeline.lockstep.turn_plan import FEWEST_ROUNDS, PAIR_NS
from model_profiling.pipeline.run_directory import RunDirectory
from model_profiling.pipeline.run_plan import RunPlan, SideSize
from model_profiling.pipeline.time_budget import fit

MS = 1_000_000
OFF, ON = Experiment("off"), Experiment("on")


def plan_of(off_ns: int, on_ns: int, ready_ns: int = 300 * MS, order: str = LOCKSTEP) -> RunPlan:
    return RunPlan(order, "", PAIR_NS, {1: {"off": SideSize(off_ns, ready_ns, 0), "on": SideSize(on_ns, ready_ns, 0)}})


def test_the_time_of_a_pair_is_that_of_its_parts() -> None:
    """2 ms and 1 ms: loading twice on each side, 30 rounds of 11 executions, 10 traced ones and 5 that begin."""
    expected = 4 * 0.3 + 30 * 11 * (0.002 + 0.001) + 15 * (0.002 + 0.001)
    assert plan_of(2 * MS, 1 * MS).pair_s([OFF, ON], 1) == pytest.approx(expected)
    one_by_one = 4 * 0.3 + 150 * 0.002 + 300 * 0.001 + 10 * (0.002 + 0.001)
    assert plan_of(2 * MS, 1 * MS, order=LAUNCHES).pair_s([OFF, ON], 1) == pytest.approx(one_by_one)


@pytest.mark.parametrize(
    ("execution_ns", "executions"), [(10_000, 30_000), (2 * MS, 150), (100 * MS, 20), (500 * MS, 20), (5000 * MS, 6)]
)
def test_a_launch_has_work_for_300_ms_and_20_executions_within_its_time(execution_ns: int, executions: int) -> None:
    assert plan_of(execution_ns, MS, order=LAUNCHES).executions(OFF, 1) == executions


def test_a_number_of_executions_is_kept() -> None:
    assert plan_of(5000 * MS, MS, order=LAUNCHES).executions(Experiment("off", runs=7), 1) == 7
    assert plan_of(2 * MS, 1 * MS).turns([Experiment("off", runs=7), Experiment("on", runs=7)], 1).rounds == 16


def test_a_plan_is_kept_in_the_manifest_as_it_is() -> None:
    plan, pairs = fit(plan_of(2000 * MS, 1000 * MS), [OFF, ON], 8, 100.0)
    assert RunPlan.from_json(JsonObject(plan.to_json(), "", "")) == plan and plan.most_traced == 2


def test_what_fits_is_left_alone() -> None:
    plan = plan_of(2 * MS, 1 * MS)
    assert fit(plan, [OFF, ON], 8, 60.0) == (plan, 8)


def test_a_slow_encoder_gets_fewer_rounds_then_fewer_traces_then_fewer_pairs() -> None:
    """3 s and 2 s an execution, as a whisper-tiny encoder in fp32: 20 minutes without a budget."""
    slow = plan_of(3000 * MS, 2000 * MS, ready_ns=10_000 * MS)
    assert slow.expected_s([OFF, ON], 8) > 1100
    for budget_s, pairs, traced in ((900.0, 8, None), (600.0, 8, 2), (300.0, 4, 2), (80.0, 1, 2)):
        plan, fitting = fit(slow, [OFF, ON], 8, budget_s)
        assert (fitting, plan.most_traced) == (pairs, traced)
        assert plan.expected_s([OFF, ON], fitting) <= budget_s
    with pytest.raises(UserError, match="one pair takes about 71 s, which does not fit into 20 s"):
        fit(slow, [OFF, ON], 8, 20.0)


@given(
    off=st.integers(10_000, 5000 * MS),
    on=st.integers(10_000, 5000 * MS),
    ready=st.integers(0, 10_000 * MS),
    pairs=st.integers(1, 20),
    budget_s=st.floats(0.1, 10_000),
    order=st.sampled_from([LOCKSTEP, LAUNCHES]),
)
def test_what_is_planned_is_within_the_budget(
    off: int, on: int, ready: int, pairs: int, budget_s: float, order: str
) -> None:
    whole = plan_of(off, on, ready, order)
    try:
        plan, fitting = fit(whole, [OFF, ON], pairs, budget_s)
    except UserError:
        assert whole.expected_s([OFF, ON], 1) > budget_s
        return
    assert 1 <= fitting <= pairs and plan.expected_s([OFF, ON], fitting) <= budget_s
    if order == LOCKSTEP:
        assert plan.turns([OFF, ON], 1).rounds >= FEWEST_ROUNDS
    if whole.expected_s([OFF, ON], pairs) <= budget_s:
        assert (plan, fitting) == (whole, pairs)


@pytest.mark.slow
def test_a_run_says_what_fits_and_is_whole(toy: Path, tmp_path: Path) -> None:
    config = write_config(tmp_path, toy, pairs=200)
    began = time.monotonic()
    said = kit("scripts/mac_pipeline.py", "--config", config, "--time-budget", 8).ok().stdout
    assert " of 200 pairs of processes that take turns, about " in said
    made = RunDirectory(tmp_path / "run").read_manifest().pairs
    assert 1 <= made < 200 and time.monotonic() - began < 200 * 0.5
    kit("scripts/validate_results.py", "--results", tmp_path / "run").ok()


@pytest.mark.parametrize("text", ["0", "-1", "soon", "inf", "nan"])
def test_a_budget_is_a_number_of_seconds(text: str, toy: Path, tmp_path: Path) -> None:
    line = kit("scripts/mac_pipeline.py", "--config", write_config(tmp_path, toy), f"--time-budget={text}").error_line()
    assert f"{text} is no number of seconds above 0" in line


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
