# SPDX-License-Identifier: Apache-2.0
"""Runs of several kinds, with their reports."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from support.kit import FIXTURES, kit
from support.run import bare_run, deep_run, lone_run, rich_run, two_program_run
from support.shared import alone, shared_folder

from model_profiling.pipeline.run_directory import RunDirectory
from model_profiling.report.load import RunData, read_run

RUNS = ("toy", "deep", "rich", "bare", "lone", "programs")


@pytest.fixture(scope="session")
def runs(exported, toy: Path, toy_run: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Run directories with their reports: ordinary, of many layers, of two programs, and three unusual ones."""
    folder = shared_folder(tmp_path_factory, "report_runs")
    with alone(folder, "made"):
        if not (folder / "made.json").is_file():
            made = _made(folder, exported, toy, toy_run)
            (folder / "made.json").write_text(json.dumps({name: str(run) for name, run in made.items()}))
    return {name: Path(run) for name, run in json.loads((folder / "made.json").read_text()).items()}


def _made(folder: Path, exported: Callable[[str, str], Path], toy: Path, toy_run: Path) -> dict[str, Path]:
    made = {
        "rich": rich_run(folder / "rich", toy),
        "bare": bare_run(folder / "bare", toy),
        "lone": lone_run(folder / "lone", toy),
        "toy": folder / "toy" / "run",
        "deep": deep_run(folder / "deep", exported("toy_transformer", "fp32")),
        "programs": two_program_run(folder / "programs", toy, exported("toy_cnn", "int8")),
    }
    shutil.copytree(toy_run, made["toy"])
    for run in made.values():
        kit("scripts/generate_report.py", "--run-dir", run).ok()
    return made


@pytest.fixture(params=RUNS)
def run(request: pytest.FixtureRequest, runs: dict[str, Path]) -> Path:
    return runs[request.param]


@pytest.fixture
def toy_copy(runs: dict[str, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(runs["toy"], tmp_path / "run"))


@pytest.fixture(scope="session")
def reference() -> RunData:
    """The committed reference run as a report reads it: AVX-512 off and on, 8 pairs, traced, layers known."""
    return read_run(RunDirectory(FIXTURES / "reference_run" / "mac"))
