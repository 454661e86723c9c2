# SPDX-License-Identifier: Apache-2.0
"""The validators on a real run: it passes as it is, and every seeded corruption is found and named."""

from __future__ import annotations

import csv
import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from support.kit import kit, write_config

from model_profiling.analysis.checks.launches import check_launches
from model_profiling.analysis.checks.recorded_run import read_run
from model_profiling.analysis.checks.results import check_results
from model_profiling.findings import ERROR
from model_profiling.pipeline.config_checks import check_config
from model_profiling.pipeline.devices.local import LocalDevice
from model_profiling.pipeline.run_directory import RunDirectory
from model_profiling.report.run_files import derive


@pytest.fixture
def run(toy_run: Path, tmp_path: Path) -> RunDirectory:
    """A copy of a real run, to be spoilt."""
    return RunDirectory(shutil.copytree(toy_run, tmp_path / "run"))


def errors(directory: RunDirectory) -> dict[str, list[str]]:
    """Return the errors found, by check."""
    found: dict[str, list[str]] = {}
    for finding in check_results(directory, derive):
        if finding.level == ERROR:
            found.setdefault(finding.check, []).append(finding.message)
    return found


def table(run: RunDirectory, experiment: str, kind: str) -> Path:
    return run.table(run.read_manifest().model.id, experiment, 1, kind)


def edit_json(path: Path, change: Callable[[dict], object]) -> None:
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value, indent=2))


def edit_launch(run: RunDirectory, number: int, **changes: object) -> None:
    lines = run.launches.read_text().splitlines()
    lines[number] = json.dumps(json.loads(lines[number]) | changes)
    run.launches.write_text("\n".join(lines) + "\n")


def edit_row(path: Path, number: int, **changes: object) -> None:
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    rows[number] |= {k: str(v) for k, v in changes.items()}
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def swap(first: Path, second: Path) -> None:
    a, b = first.read_bytes(), second.read_bytes()
    first.write_bytes(b)
    second.write_bytes(a)


def test_a_real_run_is_valid(run: RunDirectory) -> None:
    assert errors(run) == {}
    said = kit("scripts/validate_results.py", "--results", run.root).ok().stdout
    assert f"valid: {run.root}" in said
    report = json.loads(run.validation_report.read_text())
    assert report["valid"] and len(report["findings"]) >= 12


def on_median(change: float) -> Callable[[RunDirectory], None]:
    def spoil(run: RunDirectory) -> None:
        edit_json(run.analysis_summary, lambda s: s["experiments"]["on"]["1"]["latency_ms"].update(median=change))

    return spoil


def comparison(**changes: object) -> Callable[[RunDirectory], None]:
    return lambda run: edit_json(run.analysis_summary, lambda s: s["comparisons"][0].update(changes))


def swap_experiment_names(run: RunDirectory) -> None:
    names = {"on": "off", "off": "on"}
    lines = [json.loads(line) for line in run.launches.read_text().splitlines()]
    run.launches.write_text("".join(json.dumps(x | {"experiment": names[x["experiment"]]}) + "\n" for x in lines))


def foreign_model(run: RunDirectory) -> None:
    manifest = run.read_manifest()
    other = run.root.parent / "other.pte"
    shutil.copy(manifest.model.path, other)
    other.write_bytes(other.read_bytes() + b"\0")
    run.write_manifest(replace(manifest, model=replace(manifest.model, path=str(other))))


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


CORRUPTIONS: dict[str, tuple[Callable[[RunDirectory], object], str, str]] = {
    "manifest edited": (
        lambda r: edit_json(r.manifest, lambda m: m.update(seed=8)),
        "manifest",
        "was edited after it was written",
    ),
    "manifest missing": (lambda r: r.manifest.unlink(), "manifest", "manifest.json is missing"),
    "feature renamed to SME2": (
        lambda r: r.write_manifest(
            replace(r.read_manifest(), feature=replace(r.read_manifest().feature, label="SME9"))
        ),
        "feature",
        "the manifest calls the feature SME9",
    ),
    "seed changed": (lambda r: r.write_manifest(replace(r.read_manifest(), seed=8)), "order", "is not in its place"),
    "run unfinished": (lambda r: r.write_manifest(replace(r.read_manifest(), finished=None)), "finished", "unfinished"),
    "foreign model": (foreign_model, "model", "is not the model that was measured"),
    "latencies scaled": (lambda r: edit_launch(r, 0, latency_ns=[2_000_000] * 5), "record", "was edited after the run"),
    "launch removed": (
        lambda r: r.launches.write_text("".join(r.launches.read_text().splitlines(True)[:-1])),
        "plan",
        "has no launch of",
    ),
    "launch twice": (
        lambda r: r.launches.write_text(r.launches.read_text() + r.launches.read_text().splitlines(True)[-1]),
        "plan",
        "is recorded 2 times",
    ),
    "launch not JSON": (
        lambda r: r.launches.write_text("{}}\n" + r.launches.read_text()),
        "launches",
        "a line is not a launch",
    ),
    "arms swapped in the launches": (swap_experiment_names, "arms", "switched off"),
    "arm not switched": (
        lambda r: [edit_launch(r, n, masked_cpu_features=[]) for n in range(12)],
        "arms",
        "switched off nothing",
    ),
    "negative latency": (lambda r: edit_launch(r, 0, latency_ns=[-5] * 5), "launches", "impossible time"),
    "latency of one cycle": (lambda r: edit_launch(r, 0, latency_ns=[1] * 5), "latencies", "impossible time"),
    "latency of hours": (
        lambda r: edit_launch(r, 0, latency_ns=[10**12] * 5),
        "latencies",
        "ran longer than its process",
    ),
    "latency missing": (
        lambda r: edit_launch(r, 0, latency_ns=[2_000_000] * 4),
        "turns",
        "has other latencies than its turns",
    ),
    "outputs disagree": (
        lambda r: edit_launch(
            r,
            1,
            agreement=[{"with": "on", "max_abs_error": 9.0, "max_rel_error": 1.0, "cosine": 0.2, "identical": False}],
        ),
        "agreement",
        "cosine 0.2000",
    ),
    "trace missing": (lambda r: next(r.root.glob("on/*_p1.etdump")).unlink(), "traces", "has no ETDump"),
    "trace cut": (
        lambda r: truncate(next(r.root.glob("on/*_p1.etdump"))),
        "traces",
        "is not the trace that was recorded",
    ),
    "traces swapped": (
        lambda r: swap(next(r.root.glob("on/*_p1.etdump")), next(r.root.glob("off/*_p1.etdump"))),
        "traces",
        "is not the trace that was recorded",
    ),
    "table missing": (lambda r: table(r, "on", "all_runs_timeline").unlink(), "tables", "is missing"),
    "tables swapped": (
        lambda r: swap(table(r, "on", "ops_stats"), table(r, "off", "ops_stats")),
        "tables",
        "arms swapped",
    ),
    "negative duration in a table": (
        lambda r: edit_row(table(r, "on", "all_runs_timeline"), 3, duration_us=-1),
        "tables",
        "impossible duration_us (-1) on line 5",
    ),
    "wrong number in a table": (
        lambda r: edit_row(table(r, "off", "ops_stats"), 0, calls_per_run=77),
        "tables",
        "has calls_per_run 77",
    ),
    "row of another operator": (
        lambda r: edit_row(table(r, "on", "run0_timeline"), 0, name="Nonsense"),
        "tables",
        "has name Nonsense",
    ),
    "table without rows": (
        lambda r: table(r, "on", "ops_stats").write_text("model_id\n"),
        "tables",
        "lacks columns or rows",
    ),
    "summary missing": (lambda r: r.analysis_summary.unlink(), "summaries", "analysis_summary.json is missing"),
    "summary not JSON": (lambda r: r.analysis_summary.write_text("{"), "summaries", "is not JSON"),
    "wrong median": (on_median(0.001), "latency", "are not in order"),
    "wrong sum": (
        lambda r: edit_json(
            r.analysis_summary, lambda s: s["experiments"]["on"]["1"]["categories_ms"].update(CONV=99.0)
        ),
        "sums",
        "categories sum to",
    ),
    "comparison inverted": (comparison(baseline="on", candidate="off"), "comparisons", "was never asked for"),
    "speed-up outside its interval": (comparison(speedup=50.0), "comparisons", "lies outside its interval"),
    "absurd speed-up": (comparison(speedup=5000.0), "comparisons", "is not plausible"),
    "verdict against its interval": (
        comparison(verdict="faster", ci95=[0.9, 99.0]),
        "comparisons",
        "does not follow from the interval",
    ),
    "metrics edited": (
        lambda r: edit_json(r.metrics, lambda m: m.update(model="other")),
        "summaries",
        "metrics.json does not follow",
    ),
    "report missing": (lambda r: r.report_html.unlink(), "report", "report.html missing"),
}


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_each_corruption_is_found_and_named(name: str, run: RunDirectory) -> None:
    spoil, check, said = CORRUPTIONS[name]
    spoil(run)
    found = errors(run)
    assert check in found, found
    assert any(said in message for message in found[check]), found[check]


def test_a_corrupt_run_ends_with_one_line_and_a_validation_report(run: RunDirectory) -> None:
    table(run, "on", "ops_stats").unlink()
    said = kit("scripts/validate_results.py", "--results", run.root).error_line()
    assert "1 problem found (tables)" in said and "analyze_results.py" in said
    assert not json.loads(run.validation_report.read_text())["valid"]


def test_the_named_fix_repairs_the_results(run: RunDirectory) -> None:
    table(run, "on", "ops_stats").unlink()
    run.analysis_summary.write_text("{")
    kit("scripts/analyze_results.py", "--run-dir", run.root).ok()
    kit("scripts/validate_results.py", "--results", run.root).ok()


def test_a_folder_that_is_no_run_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("precious")
    assert "holds no run" in kit("scripts/validate_results.py", "--results", tmp_path).stdout
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


# The configuration's validator.


def config_errors(path: Path) -> dict[str, str]:
    return {f.check: f.message for f in check_config(path, LocalDevice()) if f.level == ERROR}


def arms(**changes: object) -> list[dict]:
    return [{"name": "a", "runs": 2, **changes}, {"name": "b", "runs": 2, **changes}]


CONFIG_CORRUPTIONS: dict[str, tuple[dict, str, str]] = {
    "unknown key": ({"pair": 1}, "config", "did you mean pairs?"),
    "wrong type": ({"pairs": "8"}, "config", "in pairs of"),
    "model missing": ({"model": "no.pte"}, "config", "no.pte does not exist"),
    "zero threads": ({"experiments": arms(threads=[0])}, "config", "0 is not valid"),
    "unknown experiment compared": ({"analysis": {"compare_pairs": [["x", "on"]]}}, "config", "x is not an experiment"),
    "unknown feature": ({"experiments": arms(disable_cpu_features=["sme9"]), "analysis": {}}, "features", "sme9"),
    "runner missing": ({"experiments": arms(runner_path="/no/runner"), "analysis": {}}, "runners", "/no/runner"),
    "input missing": ({"experiments": arms(inputs=["/no/input"]), "analysis": {}}, "inputs", "/no/input"),
    "too many inputs": (
        {"experiments": arms(inputs=["/a", "/b"]), "analysis": {}},
        "inputs",
        "2 input files for a model of 1 inputs",
    ),
    "affinity by frequency": (
        {"experiments": arms(cpu_affinity="00"), "analysis": {}},
        "features",
        "the mask is empty",
    ),
    "output below a file": ({"output_root": "/proc/version/run"}, "output folder", "cannot be written"),
    "output is a file": ({"output_root": "/proc/version"}, "output folder", "is a file"),
}


@pytest.mark.parametrize("name", CONFIG_CORRUPTIONS)
def test_each_mistake_in_a_config_is_found_and_named(name: str, toy: Path, tmp_path: Path) -> None:
    changes, check, said = CONFIG_CORRUPTIONS[name]
    found = config_errors(write_config(tmp_path, toy, **changes))
    assert check in found, found
    assert said in found[check]


@pytest.mark.parametrize(("name", "content"), [("empty", b""), ("truncated", None), ("random", b"\x07" * 999)])
def test_a_broken_model_is_found(name: str, content: bytes | None, toy: Path, tmp_path: Path) -> None:
    model = tmp_path / "model.pte"
    model.write_bytes(toy.read_bytes()[:2000] if content is None else content)
    assert "model" in config_errors(write_config(tmp_path, model))


def test_the_record_of_another_model_is_found(toy: Path, tmp_path: Path) -> None:
    model = tmp_path / "model.pte"
    shutil.copy(toy, model)
    edited = json.loads(toy.with_suffix(".json").read_text())
    edited["pte"]["sha256"] = "0" * 64
    model.with_suffix(".json").write_text(json.dumps(edited))
    assert "describes another model" in config_errors(write_config(tmp_path, model))["export record"]


def test_a_good_config_is_valid_and_says_what_will_be_switched(toy: Path, tmp_path: Path) -> None:
    said = kit("scripts/validate_pipeline.py", "--config", write_config(tmp_path, toy)).ok().stdout
    assert "on and off" in said and said.splitlines()[-1].startswith("valid: ")


@pytest.mark.parametrize("share, found", [(1.01, False), (0.99, True)])
def test_executions_that_are_latencies_and_traces_in_one_count_once(share: float, found: bool, toy_run: Path) -> None:
    """An executor_runner has one phase; its executions fit into its process, but not twice."""
    run = read_run(RunDirectory(toy_run))
    launches = tuple(
        replace(x, traced_ns=x.latency_ns, duration_s=share * sum((*x.warmup_ns, *x.latency_ns)) / 1e9)
        for x in run.launches
    )
    told = [
        finding
        for finding in check_launches(replace(run, launches=launches))
        if "ran longer than its process" in finding.message
    ]
    assert bool(told) == found


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
