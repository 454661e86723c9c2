# SPDX-License-Identifier: Apache-2.0
"""One launch that records every kernel call: one load of the model and one traced execution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from model_profiling.errors import MeasurementError
from model_profiling.files import make_folder
from model_profiling.pipeline.devices import Device
from model_profiling.pipeline.runners import LaunchMeasurement, LaunchRequest, Runner
from model_profiling.pipeline.runners.tensors import read_tensors

#: A launch that takes longer is ended: far beyond any sensible model on a phone core.
LAUNCH_LIMIT_S = 1800.0
RECORD_NAME = "calls.kernels"
#: The calls of one execution are those of every execution on the same inputs.
_EXECUTIONS = 1


@dataclass(frozen=True, eq=False)
class Recording:
    """What the launch left: the auditor's record, the trace of the same process, its outputs."""

    record: Path
    etdump: Path
    measurement: LaunchMeasurement
    tensors: tuple[np.ndarray, ...]


def recording_request(model: Path, inputs: Sequence[Path], disabled: Sequence[str], threads: int, there: Path,
                      log: Path, seed: int = 0) -> LaunchRequest:
    """Return the request for a launch that records kernels; `there` is the device's own folder."""
    return LaunchRequest(
        model=model, inputs=tuple(inputs), warmup=0, runs=0, traced_runs=_EXECUTIONS, threads=threads,
        disable_cpu_features=tuple(disabled), etdump=there / "trace.etdump", result=there / "result.json",
        outputs_dir=there / "outputs", log=log, timeout_s=LAUNCH_LIMIT_S, seed=seed, kernel_record=there / RECORD_NAME)


def record_kernels(device: Device, runner: Runner, model: Path, inputs: Sequence[Path], disabled: Sequence[str],
                   work: Path, log: Path | None = None, threads: int = 1) -> Recording:
    """Make the launch on `device`; what it writes stays below `work`, which is made, its log at `log`.

    Raises
    ------
    MeasurementError : the model failed, or the auditor left no record.
    UserError : this runner cannot record kernel calls.
    """
    make_folder(work)
    log = log or work / "launch.log"
    request = recording_request(device.push(model), [device.push(p) for p in inputs], disabled, threads,
                                device.workspace(work), log)
    argv, env = runner.command(request)
    child = device.run(argv, env=env, timeout_s=request.timeout_s, log=log, affinity=None)
    device.collect(work)
    measurement = runner.read(request.at_home(model, inputs, work), child)
    record = work / RECORD_NAME
    if not record.is_file():
        raise MeasurementError(f"the kernel auditor left no record of {model}: this C library ignores it "
                               f"(glibc 2.35 or newer is needed); see {log}")
    return Recording(record, work / request.etdump.name, measurement, read_tensors(measurement))
