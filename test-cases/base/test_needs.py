# SPDX-License-Identifier: Apache-2.0
"""Tests say what they need: one that does not fails, and --fast leaves out those that need anything."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.kit import REPOSITORY, TESTS
from support.needs import needs_of_program


@pytest.mark.parametrize(
    ("words", "needs"),
    [
        (["/usr/lib/chromium/chromium", "--headless"], {"browser"}),
        (["/cache/bin/qemu-aarch64", "-cpu", "max", "runner"], {"emulator"}),
        (["python", "model_profiling/scripts/preview_sme2.py", "--model", "m.pte"], {"emulator"}),
        (["python", "model_profiling/scripts/preview_sme2.py", "--some flag"], set()),
        (["sh", "-c", "adb devices"], {"device"}),
        (["python", "export_model.py", "--model", "mobilenet_v3_small"], {"exports"}),
        (["python", "export_model.py", "--model", "toy_cnn"], set()),
        (["echo", "it's no shell's"], set()),
    ],
)
def test_a_command_line_shows_its_need(words: list[str], needs: set[str]) -> None:
    assert needs_of_program(words) == needs


def run_scratch(folder: Path, *flags: str) -> str:
    """Run a scratch file of tests under the suite's own hooks; return what pytest says at the end."""
    (folder / "test_scratch.py").write_text(
        "import subprocess, sys\nimport pytest\n\n"
        "def start():\n    subprocess.run([sys.executable, '-c', 'pass', 'qemu-aarch64'], check=True)\n\n"
        "def test_silent():\n    start()\n\n"
        "@pytest.mark.emulator\ndef test_honest():\n    start()\n\n"
        "def test_plain():\n    pass\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "conftest", *flags, "test_scratch.py"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), str(REPOSITORY)])},
        capture_output=True,
        text=True,
        timeout=120,
    )
    return done.stdout


def test_a_test_that_says_too_little_fails(tmp_path: Path) -> None:
    told = run_scratch(tmp_path)
    assert "3 passed, 1 error" in told and "mark it `emulator`" in told and "at teardown of test_silent" in told


def test_fast_leaves_out_what_needs_anything(tmp_path: Path) -> None:
    told = run_scratch(tmp_path, "--fast")
    assert "2 passed, 1 deselected, 1 error" in told
