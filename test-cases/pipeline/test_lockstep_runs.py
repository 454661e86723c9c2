# SPDX-License-Identifier: Apache-2.0
"""Runs whose pairs take turns, from the configuration to the report: real runners, real interruptions."""

from __future__ import annotations

import json
import math
import random
import shutil
import signal
import statistics
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from support.emulation import emulated
from support.export import export_here, write_model
from support.kit import KIT, kit, write_config

from model_profiling.analysis.run import analyze
from model_profiling.pipeline import orchestrator
from model_profiling.pipeline.config import load_config
from model_profiling.pipeline.lockstep.turn_plan import FEWEST_ROUNDS, LEAST_ROUNDS
from model_profiling.pipeline.preparation import RunOptions
from model_profiling.pipeline.run_directory import Launch, RunDirectory

pytestmark = pytest.mark.slow

PIPELINE = "scripts/mac_pipeline.py"
#: Small enough for a CPU that is emulated.
TINY = """
class Tiny:
    def get_eager_model(self): return nn.Linear(8, 8).eval()
    def get_example_inputs(self): return (torch.ones(1, 8),)
"""


def config_for(folder: Path, model: Path, **changes: object) -> Path:
    return write_config(folder, model, **changes)


@pytest.fixture(scope="module")
def finished(toy: Path, tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    folder = tmp_path_factory.mktemp("lockstep")
    kit(PIPELINE, "--config", config_for(folder, toy, pairs=6)).ok()
    return RunDirectory(folder / "run")


def pair(launches: list[Launch], number: int) -> dict[str, Launch]:
    return {launch.experiment: launch for launch in launches if launch.pair == number}


def test_a_run_is_whole_by_its_own_checks(finished: RunDirectory) -> None:
    assert kit("scripts/validate_results.py", "--results", finished.root).ok()
    summary = json.loads(finished.analysis_summary.read_text())
    assert summary["comparisons"][0]["pairs"] == 6 and (finished.root / "report.html").is_file()


def test_both_sides_of_a_round_have_their_turn(finished: RunDirectory) -> None:
    for number in range(6):
        off, on = (pair(finished.read_launches(), number)[name] for name in ("off", "on"))
        timed = [[turn for turn in side.turns if not turn.traced] for side in (off, on)]
        assert [turn.round for turn in timed[0]] == [turn.round for turn in timed[1]] == list(range(len(timed[0])))
        assert len(timed[0]) >= LEAST_ROUNDS
        assert all({a.order, b.order} == {0, 1} for a, b in zip(*timed, strict=True))
        assert all(a.set_aside == b.set_aside for a, b in zip(*timed, strict=True)), "a round is set aside as a whole"
        for side in (off, on):
            kept = [ns for turn in side.turns if not turn.traced for ns in turn.counted_ns]
            assert list(side.latency_ns) == kept and len(kept) >= 5
            assert side.traced_ns == tuple(ns for turn in side.turns if turn.traced for ns in turn.ns)
            counted = [ns for turn in side.turns if turn.traced for ns in turn.counted_ns]
            assert len(counted) == 3, "traced_runs of the configuration"


def test_each_side_begins_half_of_the_rounds(finished: RunDirectory) -> None:
    for launch in finished.read_launches():
        assert statistics.fmean(turn.order for turn in launch.turns if not turn.traced) == 0.5


def test_a_pair_s_ratio_is_the_median_of_its_rounds(finished: RunDirectory) -> None:
    """Over those that "off" began and those that "on" began; their mean is free of what being first costs."""
    metrics = json.loads(finished.metrics.read_text())["experiments"]
    medians = {name: {x["pair"]: x["median_ms"] for x in metrics[name]["1"]["launches"]} for name in ("off", "on")}
    for number in range(6):
        launches = pair(finished.read_launches(), number)
        turns = {name: [turn for turn in launch.turns if not turn.traced] for name, launch in launches.items()}
        logs: dict[int, list[float]] = {0: [], 1: []}
        for off, on in zip(turns["off"], turns["on"], strict=True):
            ratio = statistics.median(off.counted_ns) / statistics.median(on.counted_ns)
            logs[off.order].append(math.log(ratio))
        expected = statistics.fmean(statistics.median(begun) for begun in logs.values() if begun)
        assert math.log(medians["off"][number] / medians["on"][number]) == pytest.approx(expected, abs=1e-6)


def test_a_pair_of_which_one_launch_is_missing_is_made_again_as_a_whole(toy: Path, tmp_path: Path) -> None:
    config = config_for(tmp_path, toy, pairs=3)
    kit(PIPELINE, "--config", config).ok()
    run = RunDirectory(tmp_path / "run")
    lines = run.launches.read_text().splitlines(keepends=True)
    run.launches.write_text("".join(lines[:-1]))
    run.write_manifest(replace(run.read_manifest(), finished=None, launches_sha256=None))
    kit(PIPELINE, "--config", config, "--resume").ok()
    assert run.launches.read_text().startswith("".join(lines[:-1])), "what was recorded stays"
    again = [launch for launch in run.read_launches() if launch.pair == 2]
    assert [launch.attempt for launch in again] == [0, 1, 1]
    assert {launch.experiment for launch in again[1:]} == {"off", "on"}
    kit("scripts/validate_results.py", "--results", run.root).ok()


def test_killed_at_random_moments_and_resumed(toy: Path, tmp_path: Path) -> None:
    """kill -9 of the pipeline, again and again: every launch on record stays, nobody is left, the run ends complete."""
    config = config_for(tmp_path, toy, pairs=6)
    run, generator, seen = RunDirectory(tmp_path / "run"), random.Random(5), b""
    argv = [sys.executable, str(KIT / PIPELINE), "--config", str(config), "--resume"]
    for _ in range(4):
        child = subprocess.Popen(argv, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(generator.uniform(0.5, 3.0))
        child.send_signal(signal.SIGKILL)
        child.wait()
        now = run.launches.read_bytes() if run.launches.is_file() else b""
        assert now.startswith(seen)
        seen = now[: now.rfind(b"\n") + 1]
    kit(PIPELINE, "--config", config, "--resume").ok()
    assert {(x.pair, x.experiment) for x in run.read_launches() if x.counts} == {
        (number, name) for number in range(6) for name in ("off", "on")
    }
    deadline = time.monotonic() + 30
    while running := subprocess.run(["pgrep", "-f", str(tmp_path)], capture_output=True, text=True).stdout:
        assert time.monotonic() < deadline, f"still running: {running}"
        time.sleep(0.1)


def test_three_experiments_two_thread_counts_and_both_runners(toy: Path, tmp_path: Path) -> None:
    arm = {"runs": 5, "warmup": 1, "traced_runs": 3, "threads": [1, 2]}
    config = config_for(
        tmp_path,
        toy,
        pairs=3,
        experiments=[
            {"name": "off", "disable_cpu_features": "auto", **arm},
            {"name": "on", **arm},
            {"name": "bindings", "runner": "python", **arm, "traced_runs": 0},
        ],
        analysis={"compare_pairs": [["off", "on"], ["on", "bindings"]]},
    )
    kit(PIPELINE, "--config", config).ok()
    run = RunDirectory(tmp_path / "run")
    for threads in (1, 2):
        launches = [x for x in run.read_launches() if x.threads == threads]
        assert len(launches) == 9 and all(x.threads_resolved == threads and x.turns for x in launches)
        assert all(bool(x.traced_ns) == (x.experiment != "bindings") for x in launches)
        assert {(x.experiment, a["with"]) for x in launches for a in x.agreement} <= {
            ("off", "on"),
            ("on", "off"),
            ("on", "bindings"),
            ("bindings", "on"),
        }
    summary = json.loads(run.analysis_summary.read_text())
    assert len(summary["comparisons"]) == 4
    kit("scripts/validate_results.py", "--results", run.root).ok()


def test_a_side_that_fails_is_named_and_recorded(toy: Path, tmp_path: Path) -> None:
    config = config_for(
        tmp_path,
        toy,
        experiments=[{"name": "on"}, {"name": "broken", "extra_args": ["--fails"]}],
        analysis={"compare_pairs": [["on", "broken"]]},
    )
    said = kit(PIPELINE, "--config", config).error_line(1)
    assert "broken (pair 1, 1 thread)" in said and "--fails is not a flag" in said
    (launch,) = RunDirectory(tmp_path / "run").read_launches()
    assert launch.experiment == "broken" and launch.exit_code == 2 and launch.void.startswith("failed: ")
    assert launch.index == 0


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"order": "lock-step"}, "use one of lockstep, launches"),
        (
            {"experiments": [{"name": "on", "runner_path": sys.executable}], "analysis": {}},
            "on has an executor_runner, which takes no turns",
        ),
    ],
)
def test_what_takes_no_turns_is_refused(changes: dict[str, object], told: str, toy: Path, tmp_path: Path) -> None:
    config = write_config(tmp_path, toy, **{"order": "lockstep", **changes})
    assert told in kit(PIPELINE, "--config", config).error_line()
    assert not (tmp_path / "run").exists()


@pytest.mark.emulator
def test_an_emulated_cpu_takes_turns_too_and_no_time_is_made_of_it(tmp_path: Path) -> None:
    model = export_here(tmp_path, model_file=write_model(tmp_path, TINY)).paths.pte
    arm = {"runs": 1, "warmup": 1, "traced_runs": 2, "threads": [1]}
    path = config_for(
        tmp_path,
        model,
        pairs=1,
        experiments=[{"name": "off", "disable_cpu_features": ["i8mm"], **arm}, {"name": "on", **arm}],
    )
    directory = orchestrator.run(load_config(path), emulated(), RunOptions(path, "test"))
    launches = directory.read_launches()
    assert {x.experiment for x in launches} == {"off", "on"} and all(
        len([turn for turn in x.turns if not turn.traced]) == FEWEST_ROUNDS for x in launches
    )
    analysis = analyze(directory)
    assert directory.read_manifest().emulated and analysis.summary.comparisons == ()


def test_latencies_that_are_not_those_of_the_turns_are_found(finished: RunDirectory, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(finished.root, tmp_path / "run"))
    lines = (copy / "launches.jsonl").read_text().splitlines()
    launch = json.loads(lines[0])
    launch["latency_ns"][0] += 1
    (copy / "launches.jsonl").write_text("\n".join([json.dumps(launch), *lines[1:]]) + "\n")
    said = kit("scripts/validate_results.py", "--results", copy)
    assert said.status != 0 and "has other latencies than its turns" in said.stdout
