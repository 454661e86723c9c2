# SPDX-License-Identifier: Apache-2.0
"""The native runner: our C++ program on the wheel's own libraries."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from model_profiling.files import sha256
from model_profiling.pipeline.runners import LaunchMeasurement, LaunchRequest
from model_profiling.pipeline.runners.build import NativeBuild
from model_profiling.pipeline.runners.result import own_runner_flags, read_own_result
from model_profiling.processes import ChildResult


@dataclass(frozen=True)
class NativeRunner:
    """Runs `build`'s binary; see `Runner` for what each method promises."""

    build: NativeBuild
    name: str = "native"

    def describe(self) -> dict[str, object]:
        about = {key: str(value) for key, value in asdict(self.build).items()}
        return {"name": self.name, "sha256": sha256(self.build.path), **about}

    def command(self, request: LaunchRequest) -> tuple[list[str], dict[str, str]]:
        return [str(self.build.path), *own_runner_flags(request)], {}

    def read(self, request: LaunchRequest, child: ChildResult) -> LaunchMeasurement:
        return read_own_result(request, child)
