# SPDX-License-Identifier: Apache-2.0
"""A run that records kernels from logs, and a sweep with a run in it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from support.kit import FIXTURES, kit, write_config
from support.logged_runs import ARM, PIPELINE, both_builds
from support.shared import alone, shared_folder
from support.sweep import pretended_sweep

from model_profiling.pipeline.run_directory import RunDirectory
from model_profiling.report.sweep_files import write_sweep


@pytest.fixture(scope="session")
def logged_folder(exported, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of one timed experiment and two that log; tests that change it work on a copy."""
    folder = shared_folder(tmp_path_factory, "logged")
    with alone(folder, "made"):
        if not (folder / "made").is_file():
            config = write_config(
                folder,
                exported("mobilenet_v3_small", "fp32"),
                pairs=1,
                analysis={},
                experiments=[{"name": "timed", **ARM}, *both_builds(folder)],
            )
            said = kit(PIPELINE, "--config", config).ok().stdout
            assert "log_on: registered kernels recorded, 1 thread" in said
            (folder / "made").touch()
    return folder


@pytest.fixture
def logged_run(logged_folder: Path, tmp_path: Path) -> RunDirectory:
    """A copy of that run, to be spoilt."""
    return RunDirectory(shutil.copytree(logged_folder / "run", tmp_path / "run"))


@pytest.fixture
def sweep_folder(tmp_path: Path) -> Path:
    """Make a sweep of 25 cells, some of which failed or are missing; the first one is a run."""
    folder = tmp_path / "out_sweep"
    summary = pretended_sweep(1, 1, seed=10)
    folder.mkdir()
    write_sweep(summary, folder / "sweep_summary.json", folder / "sweep.csv", folder / "sweep.html")
    shutil.copytree(FIXTURES / "reference_run" / "mac", folder / summary.cells[0].folder)
    return folder
