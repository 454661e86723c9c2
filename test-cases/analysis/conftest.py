# SPDX-License-Identifier: Apache-2.0
"""A run that records kernels from logs."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from support.kit import kit, write_config
from support.logged_runs import ARM, PIPELINE, both_builds
from support.shared import alone, shared_folder

from model_profiling.pipeline.run_directory import RunDirectory


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
