# SPDX-License-Identifier: Apache-2.0
"""The python runner: a child process on the stock wheel, with nothing to build."""

from __future__ import annotations

import platform
import sys
from dataclasses import dataclass, field
from pathlib import Path

from model_profiling.files import sha256
from model_profiling.pipeline.runners import LaunchMeasurement, LaunchRequest
from model_profiling.pipeline.runners.result import own_runner_flags, read_own_result
from model_profiling.pipeline.runners.wheel import Wheel, installed_wheel
from model_profiling.processes import ChildResult

CHILD = Path(__file__).with_name("python_child.py")


@dataclass(frozen=True)
class PythonRunner:
    """Runs `python_child.py` with this very Python; see `Runner` for what each method promises."""

    wheel: Wheel = field(default_factory=installed_wheel)
    name: str = "python"

    def describe(self) -> dict[str, object]:
        return {
            "name": self.name,
            "path": str(CHILD),
            "sha256": sha256(CHILD),
            "python": f"{platform.python_implementation()} {platform.python_version()}",
            "executorch_version": self.wheel.version,
            "executorch_git_sha": self.wheel.git_sha,
        }

    def command(self, request: LaunchRequest) -> tuple[list[str], dict[str, str]]:
        return [sys.executable, str(CHILD), *own_runner_flags(request)], {}

    def read(self, request: LaunchRequest, child: ChildResult) -> LaunchMeasurement:
        return read_own_result(request, child)
