# SPDX-License-Identifier: Apache-2.0
"""The kernels that a run recorded, called or registered: their tables, and how much of the model reaches SME2."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from model_profiling.analysis.comparing.sides import MeasuredSide
from model_profiling.analysis.kernels.entries import (
    CalledKernels,
    Coverage,
    Families,
    KernelEntry,
    RegisteredKernels,
    TimeCoverage,
)
from model_profiling.analysis.kernels.record import read_record
from model_profiling.analysis.kernels.time import time_coverage, timed_alike
from model_profiling.analysis.kernels.uses import (
    KernelUse,
    coverage,
    coverage_of,
    kernel_rows,
    kernel_uses,
    matrix_layers,
    reached,
)
from model_profiling.analysis.kernels.xnntrace import kernel_rows as registered_rows
from model_profiling.analysis.kernels.xnntrace import read_xnntrace
from model_profiling.analysis.program_layers import ProgramLayers
from model_profiling.analysis.tables.kernels import KernelRow
from model_profiling.analysis.traces.etdump import read_etdump
from model_profiling.analysis.traces.layers import Layer, attribute
from model_profiling.analysis.traces.timeline import Timeline, build_timeline
from model_profiling.pipeline.config import KERNELS, Config
from model_profiling.pipeline.kernel_names import COMPUTE, FAMILIES, PACK
from model_profiling.pipeline.manifest import Manifest
from model_profiling.pipeline.program.layers import GraphInstruction
from model_profiling.pipeline.run_directory import RunDirectory

#: Element types that XNNPACK packs for SME and SME2 kernels alone: "Fully Connected (NC, PF32) GEMM".
#: Seen in every recorded trace of a build or a CPU with SME, and in none without (test_kernel_analysis.py).
PACKED_FOR_SME = re.compile(r"\(\w+, (?:PF32|PF16|PQS8)\b")


@dataclass(frozen=True)
class RecordedKernels:
    """What one experiment's launch at one thread count shows: the rows of its table, and its entry of the summary."""

    experiment: str
    threads: int
    rows: tuple[KernelRow, ...]
    entry: KernelEntry


@dataclass(frozen=True)
class _Launch:
    """One launch as it is read: where it lies, and the model and the times it belongs to."""

    directory: RunDirectory
    experiment: str
    threads: int
    model: str
    graph: Sequence[GraphInstruction]
    layers: Sequence[Layer]

    def file(self, suffix: str) -> Path:
        return self.directory.kernel_raw(self.experiment, self.threads, suffix)

    def timeline(self) -> Timeline:
        trace = self.file(".etdump")
        return build_timeline(read_etdump(trace), str(trace))


def read_recorded(
    directory: RunDirectory,
    config: Config,
    programs: Mapping[str, ProgramLayers],
    manifest: Manifest,
    sides: Sequence[MeasuredSide],
) -> Iterator[RecordedKernels]:
    """Yield what every launch that recorded kernels shows, in the configuration's order.

    `programs` has the layers of each experiment, `sides` are the run's timed launches: on hardware with SME2
    they tell coverage by time.

    Raises
    ------
    UserError : a record is missing or damaged, or does not fit the trace beside it.
    """
    for experiment in config.recorded:
        for threads in experiment.threads:
            program, model = programs[experiment.name], manifest.program(experiment.name).model.id
            launch = _Launch(directory, experiment.name, threads, model, program.graph, program.layers)
            if experiment.mode == KERNELS:
                yield _called(launch, timed_alike(manifest, sides, experiment.name, threads))
            else:
                yield _registered(launch)


def _called(launch: _Launch, timed: Sequence[MeasuredSide]) -> RecordedKernels:
    record = launch.file(".kernels")
    uses = kernel_uses(read_record(record), launch.timeline(), launch.graph, launch.layers, str(record))
    entry = CalledKernels(
        kernel_calls=sum(use.calls for use in uses),
        families=_families(uses),
        coverage=coverage(launch.layers, uses) if launch.graph else None,
        time=dict(_times(launch, uses, timed)),
        matrix_layers=matrix_layers(launch.layers, uses),
    )
    rows = kernel_rows(launch.model, launch.experiment, uses)
    return RecordedKernels(launch.experiment, launch.threads, tuple(rows), entry)


def _times(
    launch: _Launch, uses: Sequence[KernelUse], timed: Sequence[MeasuredSide]
) -> Iterator[tuple[str, TimeCoverage]]:
    for side in timed:
        share = time_coverage(launch.layers, reached(uses), side.recordings)
        if share is not None:
            yield side.experiment, share


def _registered(launch: _Launch) -> RecordedKernels:
    trace = read_xnntrace([launch.file(".log")])
    rows = registered_rows(trace, launch.model, launch.experiment)
    entry = RegisteredKernels(
        kernels=len(trace.names),
        kernel_lines=trace.lines,
        lines_cut=trace.cut,
        families=_families(rows),
        operators=trace.operators,
        skipped_operators=trace.skipped,
        packed_for_sme=_packed(launch) if launch.graph else None,
    )
    return RecordedKernels(launch.experiment, launch.threads, rows, entry)


def _families(uses: Sequence[KernelUse | KernelRow]) -> Families:
    """Count the distinct kernels of each family that is there, by role."""
    kernels = {(use.family, use.role, use.kernel) for use in uses if use.kernel}
    counts = {
        family: {role: sum(k[:2] == (family, role) for k in kernels) for role in (COMPUTE, PACK)} for family in FAMILIES
    }
    return {family: roles for family, roles in counts.items() if any(roles.values())}


def _packed(launch: _Launch) -> Coverage:
    """Return the coverage of layers whose operators ran with element types packed for SME."""
    timeline = launch.timeline()
    layer_of = attribute(timeline, launch.graph)
    chosen = {
        launch.layers[layer_of[row]].layer
        for row in range(len(timeline))
        if layer_of[row] >= 0 and PACKED_FOR_SME.search(timeline.names[timeline.name[row]])
    }
    return coverage_of(launch.layers, chosen)
