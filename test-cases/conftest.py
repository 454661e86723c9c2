# SPDX-License-Identifier: Apache-2.0
"""What tests share: the real commands, and real artifacts and runs made once for all of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support_browser import browser, open_page  # noqa: F401  (fixtures of every test of pages)
from support_export import SharedExports
from support_shared import alone, shared_folder

REPOSITORY = Path(__file__).resolve().parents[1]
KIT = REPOSITORY / "model_profiling"
FIXTURES = Path(__file__).with_name("fixtures")


# A shell that starts the tests in the background has its children ignore Ctrl-C, and a program cannot tell
# that from a user's wish: the programs that tests interrupt get the usual handling.
signal.signal(signal.SIGINT, signal.default_int_handler)

#: Files whose few tests take minutes, the longest first (see `pytest_collection_modifyitems`).
LONG_FILES = ("test_all_pages_run.py", "test_skills.py", "test_android_pipeline.py", "test_ways_of_getting.py", "test_skill_failures.py",
              "test_use_cases.py", "test_model_export.py", "test_edgetam_encoder.py", "test_setup.py", "test_quick_start.py",
              "test_action.py", "test_preview_sme2.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first, then those with most tests: whole files are dealt out to the processes in this order."""
    names = [item.path.name for item in items]
    counts = {name: names.count(name) for name in set(names)}
    items.sort(key=lambda item: (LONG_FILES.index(item.path.name) if item.path.name in LONG_FILES else len(LONG_FILES),
                                 -counts[item.path.name], item.path.name))


class Finished:
    """A command that has ended: its status, its output, and its one error line."""

    def __init__(self, done: subprocess.CompletedProcess[str]) -> None:
        self.status, self.stdout, self.stderr = done.returncode, done.stdout, done.stderr

    def ok(self) -> "Finished":
        assert self.status == 0, f"status {self.status}\n{self.stdout[-2000:]}\n{self.stderr[-2000:]}"
        return self

    def error_line(self, status: int = 2) -> str:
        """Return the one line that a failed command prints, having checked that it is one."""
        assert self.status == status, f"status {self.status}\n{self.stdout[-2000:]}\n{self.stderr[-2000:]}"
        lines = [line for line in self.stderr.splitlines() if line.startswith("error:")]
        assert len(lines) == 1, self.stderr
        assert "Traceback" not in self.stderr
        return lines[0]


def kit(script: str, *args: object, cwd: Path | None = None, timeout: float = 600, env: dict | None = None) -> Finished:
    """Run one of the kit's commands as a user does, from `cwd` (default: the repository)."""
    argv = [sys.executable, str(KIT / script), *map(str, args)]
    return Finished(subprocess.run(argv, cwd=cwd or REPOSITORY, capture_output=True, text=True, timeout=timeout,
                                   stdin=subprocess.DEVNULL, env={**os.environ, **(env or {})}))


def write_config(folder: Path, pte: Path, /, **changes: object) -> Path:
    """Write a small, quick configuration for `pte` into `folder` and return its path."""
    arm = {"mode": "timing", "runs": 5, "warmup": 1, "traced_runs": 3, "threads": [1]}
    config = {
        "model": str(pte), "output_root": str(folder / "run"), "pairs": 2, "seed": 7,
        "experiments": [{"name": "on", **arm}, {"name": "off", **arm, "disable_cpu_features": "auto"}],
        "analysis": {"compare_pairs": [["off", "on"]]},
    } | changes
    path = folder / "config.json"
    path.write_text(json.dumps(config))
    return path


@pytest.fixture(scope="session")
def shared_exports(tmp_path_factory: pytest.TempPathFactory) -> SharedExports:
    """Kit models by (model, dtype), exported by the real command once a session. Not to be changed."""
    return SharedExports(shared_folder(tmp_path_factory, "exported"))


@pytest.fixture(scope="session")
def exported(shared_exports: SharedExports) -> Callable[[str, str], Path]:
    """Return a function (model, dtype) -> .pte of `shared_exports`."""
    return lambda model, dtype: shared_exports[model, dtype].pte


@pytest.fixture(scope="session")
def toy(exported: Callable[[str, str], Path]) -> Path:
    """The exported `toy_cnn` in fp32."""
    return exported("toy_cnn", "fp32")


@pytest.fixture(scope="session")
def toy_run(tmp_path_factory: pytest.TempPathFactory, toy: Path) -> Path:
    """A finished run directory of `toy_cnn`. Tests that change it work on a copy."""
    folder = shared_folder(tmp_path_factory, "toy_run")
    with alone(folder, "run"):
        if not (folder / "made").is_file():
            kit("scripts/mac_pipeline.py", "--config", write_config(folder, toy, pairs=6)).ok()
            (folder / "made").touch()
    return folder / "run"
