# SPDX-License-Identifier: Apache-2.0
"""One launch that records kernels: one load of the model and one traced execution.

Either the auditor records every KleidiAI call (mode "kernels"), or XNNPACK's log names the
kernels that it registered while loading (mode "xnntrace"). Both leave the ETDump of the
same process.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from model_profiling.errors import MeasurementError
from model_profiling.files import make_folder
from model_profiling.pipeline.devices import Device
from model_profiling.pipeline.measured_programs import ProgramFiles
from model_profiling.pipeline.runners import LaunchMeasurement, LaunchRequest, Runner
from model_profiling.pipeline.runners.tensors import read_tensors
from model_profiling.processes import ChildResult

#: A launch that takes longer is ended: far beyond any sensible model on a phone core.
LAUNCH_LIMIT_S = 1800.0
RECORD_NAME = "calls.kernels"
#: What a runner must be built with to log kernels (level 5 adds a line per operator call).
LOG_OPTION = "-DEXECUTORCH_XNNPACK_LOG_LEVEL=4"
#: The calls of one execution are those of every execution on the same inputs.
_EXECUTIONS = 1
#: How a line of XNNPACK's log begins that names a kernel; what it says is for the analysis to read.
_KERNEL_LINE = re.compile(rb"Using [a-z0-9_ -]{1,60}? microkernel '")


@dataclass(frozen=True, eq=False)
class KernelRecording:
    """What the launch left: the trace of the process, its outputs, and the auditor's record (None: its log is it)."""

    etdump: Path
    measurement: LaunchMeasurement
    tensors: tuple[np.ndarray, ...]
    record: Path | None


def recording_request(
    program: ProgramFiles,
    disabled: Sequence[str],
    threads: int,
    there: Path,
    log: Path,
    seed: int = 0,
    extra_args: Sequence[str] = (),
) -> LaunchRequest:
    """Return the request for a launch whose kernel calls the auditor records; its files are the device's own.

    `there` is its folder for what the launch writes.
    """
    return LaunchRequest(
        model=program.model,
        inputs=program.inputs,
        method=program.method,
        input_shapes=program.input_shapes,
        data=program.data,
        warmup=0,
        runs=0,
        traced_runs=_EXECUTIONS,
        threads=threads,
        disable_cpu_features=tuple(disabled),
        etdump=there / "trace.etdump",
        result=there / "result.json",
        outputs_dir=there / "outputs",
        log=log,
        timeout_s=LAUNCH_LIMIT_S,
        seed=seed,
        kernel_record=there / RECORD_NAME,
        extra_args=tuple(extra_args),
    )


def run_recording(
    device: Device, runner: Runner, request: LaunchRequest, work: Path, affinity: tuple[int, ...] | None = None
) -> ChildResult:
    """Run the launch on `device`; what it writes is brought into `work`, which is there."""
    argv, env = runner.command(request)
    child = device.run(argv, env=env, timeout_s=request.timeout_s, log=request.log, affinity=affinity)
    device.collect(work)
    return child


def read_recording(runner: Runner, request: LaunchRequest, child: ChildResult, work: Path) -> KernelRecording:
    """Return what the launch left in `work`; `request` is the one made, at home on this host (`at_home`).

    Raises
    ------
    MeasurementError : the model failed, or its kernels or its trace were not recorded.
    """
    measurement = runner.read(request, child)
    etdump, record = work / request.etdump.name, None
    if request.kernel_record is not None:
        record = work / RECORD_NAME
        if not record.is_file():
            raise MeasurementError(
                f"the kernel auditor left no record of {request.model}: this C library ignores it "
                f"(glibc 2.35 or newer is needed); see {request.log}"
            )
    elif not _names_a_kernel(request.log):
        raise MeasurementError(
            f"the log of the {runner.name} names no XNNPACK kernel: build it with {LOG_OPTION} "
            f"(or 5), Android's with XNN_LOG_TO_STDIO=1 too; see {request.log}"
        )
    if not etdump.is_file():
        raise MeasurementError(f"the {runner.name} wrote no trace; see {request.log}")
    return KernelRecording(etdump, measurement, read_tensors(measurement), record)


def record_kernels(
    device: Device,
    runner: Runner,
    program: ProgramFiles,
    disabled: Sequence[str],
    work: Path,
    log: Path | None = None,
    threads: int = 1,
) -> KernelRecording:
    """Record every kernel call of one launch on `device`; what it writes stays below `work`, which is made.

    Raises
    ------
    MeasurementError : the model failed, or the auditor left no record.
    UserError : this runner cannot record kernel calls.
    """
    make_folder(work)
    request = recording_request(
        program.pushed(device.push), disabled, threads, device.workspace(work), log or work / "launch.log"
    )
    child = run_recording(device, runner, request, work)
    return read_recording(runner, request.at_home(program, work), child, work)


def _names_a_kernel(log: Path) -> bool:
    with open(log, "rb") as lines:
        return any(_KERNEL_LINE.search(line) for line in lines)
