# SPDX-License-Identifier: Apache-2.0
"""Packages that a new home is lent: the same files, programs of its own, no kit."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support.pages import REPOSITORY

from tools.pages.running.lent_packages import lend
from tools.pages.running.workspace import new_workspace


def python(venv: Path, code: str) -> subprocess.CompletedProcess[str]:
    argv = [str(venv / "bin/python"), "-I", "-c", code]
    return subprocess.run(argv, cwd="/", capture_output=True, text=True, timeout=60)


def test_a_clone_in_the_new_home_has_the_packages_and_not_the_kit() -> None:
    with new_workspace(REPOSITORY, lends=True) as home:
        home.make_clone()
        venv = home.clone / ".venv"
        found = python(venv, "import numpy, pip, sys; print(numpy.__file__, sys.prefix)")
        file, prefix = found.stdout.split()
        assert Path(prefix) == venv and Path(file).stat().st_nlink > 1, found.stderr
        assert "No module named 'model_profiling'" in python(venv, "import model_profiling").stderr


def test_a_home_that_lends_nothing_starts_empty() -> None:
    with new_workspace(REPOSITORY) as home:
        home.make_clone()
        assert not (home.clone / ".venv").exists()


@pytest.mark.parametrize("name", ["plain", "with a blank"])
def test_programs_start_in_their_own_environment(tmp_path: Path, name: str) -> None:
    lend(Path(sys.prefix), tmp_path / name)
    program = tmp_path / name / "bin" / "pip"
    told = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=60)
    assert str(tmp_path / name) in told.stdout, told.stderr


def test_lending_is_for_a_new_home() -> None:
    argv = [sys.executable, str(REPOSITORY / "tools/run_skill.py"), "01", "--lend-packages"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (
        2,
        "error: --lend-packages is for a new home, on the command line of run_skill.py: add --fresh\n",
    )


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
