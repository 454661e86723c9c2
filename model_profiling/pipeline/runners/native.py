# SPDX-License-Identifier: Apache-2.0
"""The native runner: our C++ program on the wheel's own libraries, or on those of a build from source."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from model_profiling.errors import UserError
from model_profiling.files import sha256
from model_profiling.pipeline.runners import LaunchMeasurement, LaunchRequest
from model_profiling.pipeline.runners.native_build import NativeBuild
from model_profiling.pipeline.runners.result import own_runner_flags, read_own_result
from model_profiling.processes import ChildResult

#: Where the auditor writes (kRecordVariable in runner/auditor/kernel_auditor.cpp).
RECORD_VARIABLE = "SME_KERNEL_RECORD"


@dataclass(frozen=True)
class NativeRunner:
    """Runs `build`'s binary; see `Runner` for what each method promises."""

    build: NativeBuild
    name: str = "native"

    def describe(self) -> dict[str, object]:
        about = {key: str(value) for key, value in asdict(self.build).items() if key != "record"}
        source = {"build": dict(self.build.record)} if self.build.record else {}
        return {"name": self.name, "sha256": sha256(self.build.path), **about, **source}

    def command(self, request: LaunchRequest) -> tuple[list[str], dict[str, str]]:
        return [str(self.build.path), *own_runner_flags(request)], self._environment(request)

    def _environment(self, request: LaunchRequest) -> dict[str, str]:
        if request.kernel_record is None:
            return {}
        if self.build.auditor is None:
            raise UserError(
                "this native runner cannot record kernel calls",
                'in mode "kernels"',
                "use Arm Linux, preview_sme2.py for an emulated CPU, or an xnntrace build of executor_runner",
            )
        return {"LD_AUDIT": str(self.build.auditor), RECORD_VARIABLE: str(request.kernel_record)}

    def read(self, request: LaunchRequest, child: ChildResult) -> LaunchMeasurement:
        return read_own_result(request, child)
