# SPDX-License-Identifier: Apache-2.0
"""The kit's commands as a user runs them, and where things lie."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from support import warm

REPOSITORY = Path(__file__).resolve().parents[2]
KIT = REPOSITORY / "model_profiling"
TESTS = REPOSITORY / "test-cases"
FIXTURES = TESTS / "fixtures"


class Finished:
    """A command that has ended: its status, its output, and its one error line."""

    def __init__(self, done: subprocess.CompletedProcess[str]) -> None:
        self.status, self.stdout, self.stderr = done.returncode, done.stdout, done.stderr

    def ok(self) -> Finished:
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
    return Finished(warm.run(argv, cwd or REPOSITORY, {**os.environ, **(env or {})}, timeout))


#: Pairs of a run that a test needs analyzed: other work on the machine can void one of them, and a run without any
#: complete pair is refused.
ENOUGH = 3


def write_config(folder: Path, pte: Path, /, **changes: object) -> Path:
    """Write a small, quick configuration for `pte` into `folder` and return its path."""
    arm = {"mode": "timing", "runs": 5, "warmup": 1, "traced_runs": 3, "threads": [1]}
    config = {
        "model": str(pte),
        "output_root": str(folder / "run"),
        "pairs": 2,
        "seed": 7,
        "experiments": [{"name": "on", **arm}, {"name": "off", **arm, "disable_cpu_features": "auto"}],
        "analysis": {"compare_pairs": [["off", "on"]]},
    } | changes
    path = folder / "config.json"
    path.write_text(json.dumps(config))
    return path
