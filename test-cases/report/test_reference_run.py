# SPDX-License-Identifier: Apache-2.0
"""The committed reference run, replayed through today's analysis: nothing may differ."""

from __future__ import annotations

import csv
import json
import re
import shutil
from pathlib import Path

import pytest
from support.kit import FIXTURES, kit

from model_profiling.analysis.checks.results import check_results
from model_profiling.findings import ERROR
from model_profiling.pipeline.run_directory import RunDirectory
from model_profiling.report.run_files import derive

REFERENCE = FIXTURES / "reference_run"
RUN = REFERENCE / "mac"
#: Readers download it with the repository.
MOST_BYTES = 2_000_000


def derived_files(run: Path) -> list[Path]:
    """Return the tables and summaries of a run, relative to it."""
    return sorted(
        path.relative_to(run) for path in (*run.rglob("*.csv"), *run.glob("*summary.*"), run / "metrics.json")
    )


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Only what was recorded, analyzed by today's command."""
    copy = Path(shutil.copytree(RUN, tmp_path_factory.mktemp("replay") / "mac"))
    for name in derived_files(copy):
        (copy / name).unlink()
    kit("scripts/analyze_results.py", "--run-dir", copy, "--quiet").ok()
    return copy


def test_today_s_analysis_writes_the_same_files(replayed: Path) -> None:
    assert derived_files(replayed) == derived_files(RUN) and len(derived_files(RUN)) == 13


def test_every_table_and_summary_is_the_same(replayed: Path) -> None:
    for name in derived_files(RUN):
        recorded, today = (folder / name for folder in (RUN, replayed))
        if name.suffix == ".json":
            same(json.loads(today.read_text()), json.loads(recorded.read_text()), str(name))
        else:
            assert today.read_text() == recorded.read_text(), name


def same(today: object, recorded: object, where: str) -> None:
    """Compare two JSON values; numbers may differ by the last digits of another CPU's arithmetic."""
    assert type(today) is type(recorded), where
    if isinstance(recorded, dict):
        assert list(today) == list(recorded), where
        for key, value in recorded.items():
            same(today[key], value, f"{where}/{key}")
    elif isinstance(recorded, list):
        assert len(today) == len(recorded), where
        for index, value in enumerate(recorded):
            same(today[index], value, f"{where}/{index}")
    elif isinstance(recorded, float):
        assert today == pytest.approx(recorded, rel=1e-9), where
    else:
        assert today == recorded, where


def test_the_run_is_whole_by_its_own_checks() -> None:
    assert [finding for finding in check_results(RunDirectory(RUN), derive) if finding.level == ERROR] == []


def test_a_changed_latency_is_noticed(tmp_path: Path) -> None:
    """The replay compares real content: another trace or another launch gives another result."""
    copy = Path(shutil.copytree(RUN, tmp_path / "mac"))
    lines = (copy / "launches.jsonl").read_text().splitlines()
    launch = json.loads(lines[0])
    launch["latency_ns"] = [value * 2 for value in launch["latency_ns"]]
    (copy / "launches.jsonl").write_text("\n".join([json.dumps(launch), *lines[1:]]) + "\n")
    assert any(finding.level == ERROR for finding in check_results(RunDirectory(copy), derive))


def test_its_readme_tells_the_result_as_it_is() -> None:
    summary, readme = json.loads((RUN / "analysis_summary.json").read_text()), (REFERENCE / "README.md").read_text()
    compared = summary["comparisons"][0]
    assert f"{compared['speedup']:.3f} times as fast" in readme
    assert f"{compared['ci95'][0]:.3f} to {compared['ci95'][1]:.3f}" in readme
    manifest = json.loads((RUN / "manifest.json").read_text())
    assert manifest["feature"]["label"] == "AVX-512" and "says nothing about SME2" in readme
    record = json.loads((REFERENCE / "toy_cnn_xnnpack_fp16.json").read_text())
    assert record["pte"]["sha256"] == manifest["model"]["sha256"]


def test_every_layer_of_the_model_is_in_its_tables() -> None:
    for table in RUN.rglob("*_layers.csv"):
        with open(table, newline="", encoding="utf-8") as file:
            assert len(list(csv.DictReader(file))) >= 10


def test_it_is_small_and_names_no_place_of_anyone_s() -> None:
    files = [path for path in REFERENCE.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < MOST_BYTES
    for path in files:
        found = re.findall(rb"/(?:home|root|Users|work|mnt|opt)/[\w./-]+|https?://[\w.-]+", path.read_bytes())
        known = (
            b"https://ui.perfetto.dev",
            b"http://www.w3.org",
            b"https://github.com",
            b"https://raw.githubusercontent.com",
        )
        assert [name for name in found if name not in known] == [], path
