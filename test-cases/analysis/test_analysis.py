# SPDX-License-Identifier: Apache-2.0
"""From traces and launches to tables and summaries: numbers add up, bad input is one line."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest
from support.analysis import MODEL, SPEEDUP, add_launch, make_run
from support.kit import kit
from support.traces import OFF, ON, rows_of

from model_profiling.analysis.traces.breakdown import PARTS
from model_profiling.analysis.traces.operator_names import CATEGORIES
from model_profiling.analysis.traces.operators import FRAMEWORK_OVERHEAD
from model_profiling.errors import UserError
from model_profiling.files import write_json
from model_profiling.pipeline.calibration import find_noise_floor
from model_profiling.pipeline.config import Config
from model_profiling.pipeline.run_directory import RunDirectory, utc_now
from model_profiling.report.run_files import analyze_run, derive, summary_json
from model_profiling.report.words.notes import run_notes


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return make_run(tmp_path / "run", {"off": OFF, "on": ON})


def test_a_run_s_summary_says_what_the_launches_and_traces_say(run: RunDirectory) -> None:
    analyze_run(run)
    summary = json.loads(run.analysis_summary.read_text())
    assert summary["schema_version"] == 1 and summary["model"] == MODEL and summary["feature"] == "AVX-512"
    for name in ("off", "on"):
        entry = summary["experiments"][name]["1"]
        assert entry["launches"] == 6 and entry["executions"] == 24
        assert set(entry["latency_ms"]) == {"median", "mean", "p10", "p90", "min", "max"}
        assert tuple(entry["categories_ms"]) == PARTS
        traced = entry["traced_time_ms"]
        assert sum(entry["categories_ms"].values()) == pytest.approx(traced, rel=1e-9)
        overhead = entry["categories_ms"][FRAMEWORK_OVERHEAD]
        assert entry["delegated_ms"] + entry["portable_ms"] + overhead == pytest.approx(traced, rel=1e-9)
        assert entry["load_ms"] == 1.5 and entry["peak_rss_mib"] == 10 and 0 < entry["tracer_overhead_percent"] < 5
    (compared,) = summary["comparisons"]
    assert (compared["baseline"], compared["candidate"], compared["threads"], compared["pairs"]) == ("off", "on", 1, 6)
    assert compared["speedup"] == pytest.approx(SPEEDUP, rel=1e-3) and compared["verdict"] == "faster"
    assert compared["ci95"][0] <= compared["speedup"] <= compared["ci95"][1] and compared["noise_floor_percent"] is None
    assert compared["bottleneck"]["baseline"]["category"] in PARTS and compared["operators"]


def test_a_run_s_tables_hold_only_executions_after_warm_up(run: RunDirectory) -> None:
    analyze_run(run)
    for name in ("off", "on"):
        path = run.table(MODEL, name, 1, "all_runs_timeline")
        rows = rows_of(path.read_bytes())
        assert {(row["pair"], row["run_index"]) for row in rows} == {(str(pair), "0") for pair in range(6)}
        assert list(path.parent.glob("*_all_runs_timeline.csv")) == [path]
        first = rows_of(run.table(MODEL, name, 1, "run0_timeline").read_bytes())
        assert {row["pair"] for row in first} == {"0"}
        summary = json.loads(run.analysis_summary.read_text())["experiments"][name]["1"]
        operators = rows_of(run.table(MODEL, name, 1, "ops_stats").read_bytes())
        for category in CATEGORIES:
            total = sum(float(row["total_ms_per_run"]) for row in operators if row["category"] == category)
            assert total == pytest.approx(summary["categories_ms"][category], rel=1e-4, abs=1e-6)


def test_deriving_gives_the_files_that_an_analysis_writes_and_writes_none(run: RunDirectory) -> None:
    before = sorted(run.root.rglob("*"))
    files = derive(run)
    assert sorted(run.root.rglob("*")) == before
    analyze_run(run)
    assert {path: path.read_bytes() for path in files} == files
    assert list(files)[-1] == run.analysis_summary


def test_void_failed_and_incomplete_pairs_do_not_count(run: RunDirectory) -> None:
    made = {(x.experiment, x.pair): x for x in run.read_launches()}
    add_launch(run, made["off", 0], attempt=1, void="the machine was disturbed")
    add_launch(run, made["on", 0], attempt=1)
    add_launch(run, made["off", 1], attempt=1)  # killed before the other side was launched again
    add_launch(run, made["off", 2], attempt=1, latency_ns=(7_000_000,))
    add_launch(run, made["on", 2], attempt=1, latency_ns=(1_000_000,))
    add_launch(run, made["on", 3], exit_code=None, signal="SIGSEGV", latency_ns=())
    analysis = analyze_run(run)
    metrics = json.loads(run.metrics.read_text())["experiments"]["off"]["1"]
    assert [launch["pair"] for launch in metrics["launches"]] == [2, 4, 5]
    assert [launch["attempt"] for launch in metrics["launches"]] == [1, 0, 0]
    assert metrics["void"][0]["reason"] == "the machine was disturbed"
    assert summary_json(analysis)["comparisons"][0]["pairs"] == 3
    assert any("did not count" in note for note in run_notes(analysis))


def test_quick_runs_give_no_verdict(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", {"off": OFF, "on": ON}, quick=True)
    assert summary_json(analyze_run(run))["comparisons"][0]["verdict"] == "no verdict"
    assert "quick: no verdict" in run.pipeline_summary_md(MODEL).read_text()


def test_a_calibration_leaves_a_noise_floor_that_later_runs_use(tmp_path: Path) -> None:
    analyze_run(make_run(tmp_path / "run_aa", {"a": OFF, "b": OFF}, calibration=True))
    floor = json.loads((tmp_path / "run_aa" / "noise_floor.json").read_text())
    assert floor["calibrated"] == {"1": False}  # the made-up arms differ by a factor of 2
    analysis = analyze_run(make_run(tmp_path / "run", {"off": OFF, "on": ON}, noise_floor=floor))
    entry = summary_json(analysis)["comparisons"][0]
    assert entry["noise_floor_percent"] == floor["noise_floor_percent"]["1"]
    assert entry["verdict"] == "no difference shown"  # the made-up arms of the calibration differ as much


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({}, True),
        ({"model": "other"}, False),
        ({"cpu": "other"}, False),
        ({"calibrated": {"1": False}}, False),
        ({"quick": True}, False),
        ({"measured": "2020-01-01T00:00:00.000Z"}, False),
    ],
)
def test_a_floor_serves_the_same_model_on_the_same_cpu_for_a_day(changes: dict, found: bool, tmp_path: Path) -> None:
    held = {
        "schema_version": 1,
        "noise_floor_percent": {"1": 2.5},
        "calibrated": {"1": True},
        "model": "m",
        "cpu": "c",
        "quick": False,
        "measured": utc_now(),
    } | changes
    config = Config(Path("m.pte"), tmp_path / "run", ())
    assert find_noise_floor(config, "c") is None
    write_json(tmp_path / "run_aa" / "noise_floor.json", held)
    assert find_noise_floor(config, "c") == (held if found else None)


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"schema_version": 1, "model": "m", "cpu": "c", "measured": 5}'])
def test_a_damaged_floor_is_one_line(content: str, tmp_path: Path) -> None:
    (tmp_path / "run_aa").mkdir()
    (tmp_path / "run_aa" / "noise_floor.json").write_text(content)
    with pytest.raises(UserError, match="noise floor"):
        find_noise_floor(Config(Path("m.pte"), tmp_path / "run", ()), "c")


def test_one_pair_and_one_experiment_are_enough_for_an_analysis(tmp_path: Path) -> None:
    one = summary_json(analyze_run(make_run(tmp_path / "one", {"off": OFF, "on": ON}, pairs=1)))["comparisons"][0]
    assert one["ci95"] is None and one["p_value"] is None and one["verdict"] == "no verdict"
    assert summary_json(analyze_run(make_run(tmp_path / "alone", {"off": OFF})))["comparisons"] == []


def test_several_thread_counts_stay_apart(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", {"off": OFF, "on": ON}, pairs=2, threads=(1, 4))
    summary = summary_json(analyze_run(run))
    assert list(summary["experiments"]["on"]) == ["1", "4"]
    assert [entry["threads"] for entry in summary["comparisons"]] == [1, 4]


def test_a_run_without_traces_has_latencies_only(run: RunDirectory) -> None:
    lines = [json.loads(line) | {"etdump": None, "traced_ns": []} for line in run.launches.read_text().splitlines()]
    run.launches.write_text("".join(json.dumps(line) + "\n" for line in lines))
    entry = summary_json(analyze_run(run))["experiments"]["on"]["1"]
    assert (
        entry["categories_ms"] is None
        and entry["tracer_overhead_percent"] is None
        and entry["latency_ms"]["median"] > 0
    )


def test_the_command_prints_the_result_or_nothing(run: RunDirectory) -> None:
    told = kit("scripts/analyze_results.py", "--run-dir", run.root).ok().stdout
    assert (
        "AVX-512 on and off" in told
        and "on against off, 1 thread: 2.000x" in told
        and str(run.analysis_summary) in told
    )
    assert kit("scripts/analyze_results.py", "--run-dir", run.root, "--quiet").ok().stdout == ""


def _break_trace(run: RunDirectory) -> None:
    raw = run.root / run.read_launches()[0].etdump
    raw.write_bytes(raw.read_bytes()[:-9])


@pytest.mark.parametrize(
    "damage, said",
    [
        (lambda run: shutil.rmtree(run.root), "no run directory"),
        (lambda run: run.manifest.unlink(), "manifest.json is missing"),
        (lambda run: run.launches.unlink(), "no pair of launches is complete"),
        (lambda run: run.launches.write_text("{}\n"), "is not a launch"),
        (lambda run: (run.root / run.read_launches()[0].etdump).unlink(), "the ETDump does not exist"),
        (_break_trace, "the ETDump is truncated"),
        (
            lambda run: run.manifest.write_text(run.manifest.read_text().replace("AVX-512", "SME2")),
            "manifest was edited",
        ),
    ],
)
def test_a_damaged_run_is_one_line_and_nothing_is_written(run: RunDirectory, damage, said: str) -> None:
    analyze_run(run)
    before = run.analysis_summary.read_bytes()
    damage(run)
    assert said in kit("scripts/analyze_results.py", "--run-dir", run.root).error_line()
    if run.root.exists():
        assert run.analysis_summary.read_bytes() == before


def test_a_real_run_adds_up(toy_run: Path) -> None:
    summary = json.loads((toy_run / "analysis_summary.json").read_text())
    for by_threads in summary["experiments"].values():
        for entry in by_threads.values():
            traced = entry["traced_time_ms"]
            assert sum(entry["categories_ms"].values()) == pytest.approx(traced, rel=0.01)
            assert entry["categories_ms"]["CONV"] > 0 and entry["unmapped_operators"] == []
            assert 0.3 < traced / entry["time_ms"] < 3


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
