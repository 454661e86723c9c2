# SPDX-License-Identifier: Apache-2.0
"""Emulated CPUs for tests: without the parts tests are skipped, in CI they fail."""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from model_profiling.analysis.kernels.record import KernelRecord, read_record
from model_profiling.analysis.kernels.uses import KernelUse, kernel_uses
from model_profiling.analysis.traces.etdump import read_etdump
from model_profiling.analysis.traces.layers import model_layers
from model_profiling.analysis.traces.timeline import Timeline, build_timeline
from model_profiling.errors import UserError
from model_profiling.pipeline.devices.emulated.device import EmulatedDevice
from model_profiling.pipeline.kernel_recording import KernelRecording, record_kernels
from model_profiling.pipeline.measured_programs import ProgramFiles
from model_profiling.pipeline.program.inputs import make_inputs, write_inputs
from model_profiling.pipeline.program.layers import GraphInstruction, build_graph
from model_profiling.pipeline.program.workload import Workload, resolve
from model_profiling.pipeline.runners.native import NativeRunner

#: Matrix layers of MobileNetV3-Small that reach SME2, and calls of the kernel that most of them use.
#: In fp16 the 1x1 convolutions do not reach it in ExecuTorch 1.5.1: one convolution and the classifier do.
MOBILENET = {
    "fp32": (43, 1666, "f32p2vlx1biasf32_sme2_mopa"),
    "int8": (43, 1526, "2vlx2vl_sme2_mopa"),
    "fp16": (3, 784, "2vlx2vl_sme2_mopa"),
}


@functools.cache
def _device(cpu: str) -> EmulatedDevice | str:
    try:
        return EmulatedDevice.of(cpu)
    except UserError as problem:
        return str(problem)


def emulated(cpu: str = "max") -> EmulatedDevice:
    """Return the device for a CPU, its parts obtained once a session."""
    device = _device(cpu)
    if isinstance(device, str):
        pytest.fail(device) if os.environ.get("CI") else pytest.skip(device)
    return device


@dataclass(frozen=True, eq=False)
class Recorded:
    """A launch on an emulated CPU that recorded its kernels, read back."""

    recording: KernelRecording
    record: KernelRecord
    timeline: Timeline
    graph: tuple[GraphInstruction, ...]
    uses: tuple[KernelUse, ...]


def record(model: Path, folder: Path, cpu: str = "max", disabled: tuple[str, ...] = (), threads: int = 1) -> Recorded:
    """Run `model` once on an emulated CPU and return what its operators called."""
    device = emulated(cpu)
    resolved = resolve(Workload(model))
    inputs = write_inputs(make_inputs(resolved.signature, resolved.record, 0), folder / "inputs")
    program = ProgramFiles(model, tuple(inputs))
    made = record_kernels(
        device, NativeRunner(device.native_build), program, disabled, folder / "launch", threads=threads
    )
    calls, timeline = read_record(made.record), build_timeline(read_etdump(made.etdump), str(made.etdump))
    graph = build_graph(Workload(model))
    return Recorded(
        made, calls, timeline, graph, kernel_uses(calls, timeline, graph, model_layers(graph), str(made.record))
    )
