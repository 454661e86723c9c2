# SPDX-License-Identifier: Apache-2.0
"""Launches of all programs in randomized blocks: one of each a block, as close in time as can be.

Two programs are then compared by their ratios within blocks, in which slow drift of a shared
machine cancels, as in the pipeline's pairs.
"""

from __future__ import annotations

import shutil
import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from model_profiling.analysis.traces.breakdown import PARTS, break_down
from model_profiling.analysis.traces.etdump import read_etdump
from model_profiling.analysis.traces.layers import attribute, model_layers, times_per_run
from model_profiling.analysis.traces.recording import Recording
from model_profiling.analysis.traces.timeline import build_timeline
from model_profiling.console import progress
from model_profiling.files import make_folder
from model_profiling.pipeline.devices.local import LocalDevice
from model_profiling.pipeline.program.inputs import make_inputs, write_inputs
from model_profiling.pipeline.program.layers import GraphInstruction, build_graph
from model_profiling.pipeline.program.workload import Workload, resolve
from model_profiling.pipeline.runners import LaunchMeasurement, LaunchRequest, Runner, choose_runner
from model_profiling.pipeline.schedule import Pair
from tools.edgetam_measurement.programs import ExportedVariant

_WARMUP, _TRACED_RUNS = 1, 1
# An execution takes up to a second: 30 of them for a warm-up that a shared machine never lets settle is too long.
_MOST_WARMUP = 1
_LAUNCH_LIMIT_S = 600
_NS_PER_MS = 1e6
# What the neck does beside its lateral convolutions: enlarging and adding.
_NECK, _LATERALS = "neck", "neck.convs."


@dataclass(frozen=True)
class MeasurementSettings:
    """What was asked for: image size, launches of each program, executions of each, threads, seed."""

    size: int
    blocks: int
    runs: int
    threads: int
    seed: int


@dataclass(frozen=True)
class Sample:
    """One launch, in ms: the median untraced execution, and of the traced ones each category and the enlarging.

    The enlarging is what the neck does beside its lateral convolutions, in XNNPACK or outside, and
    what no module of the model asked for: transpositions between layouts. A form that leaves XNNPACK
    has every map that is there at that point transposed twice.
    """

    latency_ms: float
    categories_ms: dict[str, float]
    enlarging_ms: float


def measure(
    programs: Mapping[str, ExportedVariant], folder: Path, settings: MeasurementSettings
) -> dict[str, list[Sample]]:
    """Launch every program once a block, in an order that a coin decides; return the samples in blocks' order."""
    runner, device = choose_runner("auto", None), LocalDevice()
    make_folder(folder)
    # All programs take the same image: the first one's inputs fit them all.
    first = resolve(Workload(next(iter(programs.values())).pte))
    inputs = tuple(write_inputs(make_inputs(first.signature, first.record, settings.seed), folder / "inputs"))
    graphs = {name: build_graph(Workload(program.pte)) for name, program in programs.items()}
    samples: dict[str, list[Sample]] = {name: [] for name in programs}
    with progress("launching", settings.blocks * len(programs)) as step:
        for index in range(settings.blocks):
            for name in Pair(index, settings.threads, tuple(programs)).order(settings.seed):
                sample = _launch(runner, device, programs[name].pte, inputs, graphs[name], folder / "launch", settings)
                samples[name].append(sample)
                step(f"block {index + 1}, {name}: {sample.latency_ms:.1f} ms")
    return samples


def _launch(
    runner: Runner,
    device: LocalDevice,
    pte: Path,
    inputs: tuple[Path, ...],
    graph: tuple[GraphInstruction, ...],
    work: Path,
    settings: MeasurementSettings,
) -> Sample:
    shutil.rmtree(work, ignore_errors=True)
    make_folder(work)
    request = LaunchRequest(
        model=pte.resolve(),
        inputs=tuple(path.resolve() for path in inputs),
        warmup=_WARMUP,
        runs=settings.runs,
        traced_runs=_TRACED_RUNS,
        threads=settings.threads,
        disable_cpu_features=(),
        etdump=work / "trace.etdump",
        result=work / "result.json",
        outputs_dir=work / "outputs",
        log=work / "launch.log",
        timeout_s=_LAUNCH_LIMIT_S,
        extra_args=("--max-warmup", str(_MOST_WARMUP)),
        seed=settings.seed,
    )
    argv, env = runner.command(request)
    child = device.run(argv, env=env, timeout_s=_LAUNCH_LIMIT_S, log=request.log)
    try:
        return _sample(runner.read(request, child), request.etdump, graph)
    finally:
        shutil.rmtree(work, ignore_errors=True)  # outputs at full size are 90 MB a launch


def _sample(measured: LaunchMeasurement, etdump: Path, graph: tuple[GraphInstruction, ...]) -> Sample:
    timeline = build_timeline(read_etdump(etdump), str(etdump), measured.traced_warmup)
    layers = model_layers(graph)
    times = times_per_run(Recording(timeline, layer=attribute(timeline, graph)), len(layers))
    enlarging = [
        number
        for number, layer in enumerate(layers)
        if layer.module.split(".")[0] in (_NECK, "") and not layer.module.startswith(_LATERALS)
    ]
    return Sample(
        statistics.median(measured.latency_ns) / _NS_PER_MS,
        dict(zip(PARTS, (np.median(break_down(timeline).parts, axis=0) / _NS_PER_MS).tolist(), strict=True)),
        float(np.median(times[enlarging].sum(axis=0))) / _NS_PER_MS,
    )
