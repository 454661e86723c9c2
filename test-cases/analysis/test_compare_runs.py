# SPDX-License-Identifier: Apache-2.0
"""Two runs compared for regressions: only what the interval supports fails, and only like with like."""

from __future__ import annotations

import math
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ttest_ind
from support.edited import edit_launches, scaled
from support.kit import KIT, kit

from model_profiling.analysis.comparing.run_comparison import compare_run_directories
from model_profiling.pipeline.cpu.features import CpuFeatures
from model_profiling.pipeline.manifest import ExecuTorchVersion
from model_profiling.pipeline.run_directory import RunDirectory
from model_profiling.unpaired_statistics import estimate

TIMES = st.lists(st.floats(1e-3, 1e6), min_size=2, max_size=12)


# The estimate


@settings(deadline=None)
@given(TIMES, TIMES)
def test_the_estimate_is_welch_s_on_logarithms(baseline: list[float], candidate: list[float]) -> None:
    found = estimate(baseline, candidate)
    logs = np.log(candidate), np.log(baseline)
    if min(np.ptp(side) for side in logs) < 1e-9:
        return  # scipy warns of launches without scatter; the next tests have them
    expected = ttest_ind(*logs, equal_var=False)
    interval = expected.confidence_interval(0.95)
    assert math.log(found.ratio) == pytest.approx(logs[0].mean() - logs[1].mean(), abs=1e-9)
    if math.isfinite(interval.low) and abs(interval.low) < 100:
        assert math.log(found.low) == pytest.approx(interval.low, rel=1e-6, abs=1e-9)
        assert math.log(found.high) == pytest.approx(interval.high, rel=1e-6, abs=1e-9)
    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-6, abs=1e-9)


@given(TIMES, TIMES)
def test_swapping_the_runs_inverts_the_estimate(baseline: list[float], candidate: list[float]) -> None:
    there, back = estimate(baseline, candidate), estimate(candidate, baseline)
    assert there.ratio == pytest.approx(1 / back.ratio)
    assert there.p_value == pytest.approx(back.p_value)
    assert not (there.slower_than(0) and back.slower_than(0))


def test_few_or_equal_launches_need_no_special_reader() -> None:
    alone = estimate([2.0], [3.0, 3.1])
    assert alone.low is None and alone.p_value is None and not alone.slower_than(0)
    equal = estimate([2.0, 2.0], [3.0, 3.0])
    assert equal.low == equal.ratio == equal.high == pytest.approx(1.5) and equal.p_value == 0
    assert estimate([2.0, 2.0], [2.0, 2.0]).p_value == 1
    for bad in ([], [0.0, 1.0], [1.0, math.nan]):
        with pytest.raises(ValueError):
            estimate(bad, [1.0])


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(3)
    held = 0
    for _ in range(2000):
        baseline, candidate = np.exp(rng.normal(0, 0.02, 8)), np.exp(rng.normal(0.05, 0.05, 6))
        found = estimate(baseline, candidate)
        held += found.low <= math.exp(0.05) <= found.high
    assert 0.935 <= held / 2000 <= 0.965


# The command


@pytest.fixture
def other_run(toy_run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(toy_run, tmp_path / "candidate"))


def slowed(run: Path, factor: float, experiment: str = "on") -> Path:
    """Make every execution of an experiment of a recorded run slower."""
    return edit_launches(run, lambda line: scaled(line, factor) if line["experiment"] == experiment else line)


def remade(run: Path, **changes: object) -> Path:
    """Change a run's manifest as a run elsewhere would have written it."""
    directory = RunDirectory(run)
    directory.write_manifest(replace(directory.read_manifest(), **changes))
    return run


def compare(baseline: Path, candidate: Path, *flags: object):
    return kit("scripts/compare_runs.py", "--baseline", baseline, "--candidate", candidate, *flags)


def test_equal_runs_pass(toy_run: Path, other_run: Path) -> None:
    said = compare(toy_run, other_run, "--fail-if-slower", 0).ok().stdout
    rows = [re.split(r"\s{2,}", line) for line in said.splitlines()]
    assert [row[0] for row in rows[:3]] == ["experiment", "on", "off"]
    assert all(float(row[5]) == 1 for row in rows[1:3])
    assert "differ" not in said.replace("what differs between two sessions", "")


def test_a_regression_beyond_its_interval_fails_and_is_named(toy_run: Path, other_run: Path) -> None:
    slowed(other_run, 30.0)
    row = compare_run_directories(RunDirectory(toy_run), RunDirectory(other_run)).rows[0]
    supported = 100 * (row.estimate.low - 1)
    line = compare(toy_run, other_run, "--fail-if-slower", supported - 1).error_line(status=1)
    assert re.match(r"error: on on 1 thread is slower by 2900\.0 % \(at least \d+\.\d %, more than the ", line)
    assert "off on" not in line
    # The estimate lies above this percentage, but its interval does not.
    assert row.estimate.ratio > 1 + (supported + 1) / 100 or row.estimate.low == row.estimate.ratio
    compare(toy_run, other_run, "--fail-if-slower", supported + 1).ok()
    compare(toy_run, other_run).ok()
    compare(other_run, toy_run, "--fail-if-slower", 0).ok()


def test_launches_that_do_not_count_are_left_out(toy_run: Path, other_run: Path) -> None:
    edit_launches(other_run, lambda x: scaled(x, 50) | {"void": "disturbed"} if x["pair"] == 2 else x)
    rows = compare_run_directories(RunDirectory(toy_run), RunDirectory(other_run)).rows
    assert [row.estimate.launches for row in rows] == [(6, 5), (6, 5)]
    assert all(0.5 < row.estimate.ratio < 2 for row in rows)


def test_other_models_features_and_versions_are_said(toy_run: Path, other_run: Path) -> None:
    manifest = RunDirectory(other_run).read_manifest()
    remade(
        other_run,
        model=replace(manifest.model, sha256="f" * 64),
        executorch=ExecuTorchVersion("9.9", "e" * 40),
        cpu=replace(manifest.cpu, names=manifest.cpu.names | {"sme2"}),
        disabled={**manifest.disabled, "on": ("sme2",)},
        finished=None,
    )
    said = compare(toy_run, other_run, "--fail-if-slower", 5).ok().stdout
    for words in (
        "model file (SHA-256): ",
        "ExecuTorch: ",
        "9.9 (eeeeeeeeeeee) now",
        "CPU features: ",
        "only those that all have before, sme2 now",
        "on: features switched off: none before, sme2 now",
        "is unfinished",
    ):
        assert words in said, words


@pytest.mark.parametrize(
    "change", [{"cpu": CpuFeatures("aarch64", "Neoverse-V9", frozenset(), 2)}, {"device": "emulated"}]
)
def test_other_cpus_are_refused(toy_run: Path, other_run: Path, change: dict) -> None:
    line = compare(toy_run, remade(other_run, **change), "--fail-if-slower", 5).error_line()
    assert "different CPUs" in line and str(other_run) in line


@pytest.mark.parametrize(
    "damage",
    [
        lambda run: (run / "manifest.json").unlink(),
        lambda run: (run / "launches.jsonl").unlink(),
        lambda run: (run / "launches.jsonl").write_text("nonsense\n"),
        shutil.rmtree,
    ],
)
def test_what_is_no_run_is_one_line(toy_run: Path, other_run: Path, damage) -> None:
    damage(other_run)
    assert str(other_run) in compare(toy_run, other_run).error_line()


def test_runs_without_a_common_experiment_are_refused(toy_run: Path, other_run: Path) -> None:
    (other_run / "launches.jsonl").write_text(
        (other_run / "launches.jsonl")
        .read_text()
        .replace('"experiment": "on"', '"experiment": "new"')
        .replace('"experiment": "off"', '"experiment": "old"')
    )
    config = RunDirectory(other_run).read_manifest().config_json
    names = {"on": "new", "off": "old"}
    experiments = [{**experiment, "name": names[experiment["name"]]} for experiment in config["experiments"]]
    remade(other_run, config_json={**config, "experiments": experiments, "compare_pairs": [["old", "new"]]})
    assert "share no experiment" in compare(toy_run, other_run).error_line()


@pytest.mark.parametrize("percent", ["-1", "nan", "inf", "five"])
def test_a_percentage_is_a_percentage(toy_run: Path, percent: str) -> None:
    assert "percentage" in compare(toy_run, toy_run, f"--fail-if-slower={percent}").error_line()


def test_it_needs_neither_matplotlib_nor_torch(toy_run: Path) -> None:
    script = KIT / "scripts" / "compare_runs.py"
    done = subprocess.run(
        [sys.executable, "-X", "importtime", str(script), "--baseline", str(toy_run), "--candidate", str(toy_run)],
        capture_output=True,
        text=True,
        check=True,
    )
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert "model_profiling" in imported and not imported & {"matplotlib", "torch", "executorch", "pandas"}


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
