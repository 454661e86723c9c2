# SPDX-License-Identifier: Apache-2.0
"""The kernels that a run recorded: called or registered, their tables, and how much of the model reaches SME2."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from model_profiling.analysis.comparing.arms import Arm
from model_profiling.analysis.kernels.record import read_record
from model_profiling.analysis.kernels.time import time_coverage, timed_alike
from model_profiling.analysis.kernels.uses import (
    Coverage,
    KernelUse,
    coverage,
    coverage_of,
    kernel_rows,
    kernel_uses,
    matrix_layers,
    reached,
)
from model_profiling.analysis.kernels.xnntrace import XnnTrace, read_xnntrace
from model_profiling.analysis.kernels.xnntrace import kernel_rows as registered_rows
from model_profiling.analysis.tables.kernels import CALLED, REGISTERED, KernelRow, kernels_csv
from model_profiling.analysis.traces.etdump import read_etdump
from model_profiling.analysis.traces.layers import Layer, attribute, model_layers
from model_profiling.analysis.traces.timeline import Timeline, build_timeline
from model_profiling.pipeline.config import KERNELS, Config
from model_profiling.pipeline.kernel_names import COMPUTE, FAMILIES, FAMILY_TITLES, PACK, SME2
from model_profiling.pipeline.manifest import Manifest
from model_profiling.pipeline.program.layers import GraphInstruction
from model_profiling.pipeline.run_directory import RunDirectory

#: Element types that XNNPACK packs for SME and SME2 kernels alone: "Fully Connected (NC, PF32) GEMM".
#: Seen in every recorded trace of a build or a CPU with SME, and in none without (test_kernel_analysis.py).
PACKED_FOR_SME = re.compile(r"\(\w+, (?:PF32|PF16|PQS8)\b")


@dataclass(frozen=True)
class RecordedKernels:
    """What one experiment's launch at one thread count shows.

    `entry` is its part of analysis_summary.json, `sentences` the same for people.
    """

    experiment: str
    threads: int
    rows: tuple[KernelRow, ...]
    entry: Mapping[str, object]
    sentences: tuple[str, ...]

    def notes(self) -> tuple[str, ...]:
        """Return the sentences, each naming the launch."""
        where = f"{self.experiment}, {self.threads} thread{'s' if self.threads > 1 else ''}"
        return tuple(f"{where}: {sentence}" for sentence in self.sentences)


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
        return self.directory.raw(self.experiment, self.threads, 0, 0, suffix)

    def timeline(self) -> Timeline:
        trace = self.file(".etdump")
        return build_timeline(read_etdump(trace), str(trace))


def read_recorded(
    directory: RunDirectory, config: Config, graph: Sequence[GraphInstruction], manifest: Manifest, arms: Sequence[Arm]
) -> tuple[RecordedKernels, ...]:
    """Return what every launch that recorded kernels shows, in the configuration's order.

    `arms` are the run's timed launches: on hardware with SME2 they tell coverage by time.

    Raises
    ------
    UserError : a record is missing or damaged, or does not fit the trace beside it.
    """
    return tuple(_read(directory, config, graph, manifest, arms))


def _read(
    directory: RunDirectory, config: Config, graph: Sequence[GraphInstruction], manifest: Manifest, arms: Sequence[Arm]
) -> Iterator[RecordedKernels]:
    layers = model_layers(graph)
    for experiment in config.recorded:
        for threads in experiment.threads:
            launch = _Launch(directory, experiment.name, threads, manifest.model.id, graph, layers)
            if experiment.mode == KERNELS:
                yield _called(launch, timed_alike(manifest, arms, experiment.name, threads))
            else:
                yield _registered(launch)


def _called(launch: _Launch, timed: Sequence[Arm]) -> RecordedKernels:
    record = launch.file(".kernels")
    uses = kernel_uses(read_record(record), launch.timeline(), launch.graph, str(record))
    found = coverage(launch.layers, uses) if launch.graph else None
    times = {
        arm.experiment: held
        for arm in timed
        if (held := time_coverage(launch.layers, reached(uses), arm.recordings)) is not None
    }
    told = {name: held.sentence(name) for name, held in times.items()}
    sentence = found.sentence() if found else "The model's layers are not known, and so neither is how many reach SME2"
    entry = {
        "evidence": CALLED,
        "sentence": sentence,
        "kernel_calls": sum(use.calls for use in uses),
        "families": _families(uses),
        "sme2_coverage": found and _plain(found),
        "sme2_time": {name: {**asdict(held), "sentence": told[name]} for name, held in times.items()},
        "matrix_layers": [asdict(layer) for layer in matrix_layers(launch.layers, uses)],
    }
    return RecordedKernels(
        launch.experiment,
        launch.threads,
        tuple(kernel_rows(launch.model, launch.experiment, uses)),
        entry,
        (sentence, *told.values()),
    )


def _plain(found: Coverage) -> dict[str, object]:
    return {**asdict(found), "share": found.share}


def _families(uses: Sequence[KernelUse | KernelRow]) -> dict[str, dict[str, int]]:
    """Count the distinct kernels of each family that is there, by role."""
    kernels = {(use.family, use.role, use.kernel) for use in uses if use.kernel}
    counts = {
        family: {role: sum(k[:2] == (family, role) for k in kernels) for role in (COMPUTE, PACK)} for family in FAMILIES
    }
    return {family: roles for family, roles in counts.items() if any(roles.values())}


def _registered(launch: _Launch) -> RecordedKernels:
    trace = read_xnntrace([launch.file(".log")])
    rows = registered_rows(trace, launch.model, launch.experiment)
    packed = _packed(launch) if launch.graph else None
    sentences = [_registered_sentence(trace, rows)]
    if packed:
        sentences.append(_packed_sentence(packed))
    entry = {
        "evidence": REGISTERED,
        "sentence": sentences[0],
        "kernels": len(trace.names),
        "kernel_lines": trace.lines,
        "lines_cut": trace.cut,
        "families": _families(rows),
        "operators": dict(trace.operators),
        "skipped_operators": dict(trace.skipped),
        "packed_for_sme": packed and {**_plain(packed), "sentence": sentences[1]},
    }
    return RecordedKernels(launch.experiment, launch.threads, rows, entry, tuple(sentences))


def _registered_sentence(trace: XnnTrace, rows: Sequence[KernelRow]) -> str:
    computing = len({row.kernel for row in rows if row.family == SME2 and row.role == COMPUTE})
    return (
        f"XNNPACK registered {len(trace.names)} kernels while loading, {computing or 'none'} of them "
        f"{FAMILY_TITLES[SME2]}: candidates, not calls"
    )


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


def _packed_sentence(packed: Coverage) -> str:
    return (
        f"{packed.counts()}, ran with element types (PF32, PF16, PQS8) that XNNPACK packs for SME and SME2 alone; "
        "they do not tell one from the other"
    )


def kernel_tables(directory: RunDirectory, model: str, recorded: Sequence[RecordedKernels]) -> dict[Path, bytes]:
    """Return the kernel tables by the files that they go to."""
    return {directory.table(model, r.experiment, r.threads, "kernels"): kernels_csv(r.rows) for r in recorded}


def kernels_summary(recorded: Sequence[RecordedKernels]) -> dict[str, dict[str, Mapping]]:
    """Return what analysis_summary.json says of kernels, by experiment and thread count."""
    found: dict[str, dict[str, Mapping]] = {}
    for r in recorded:
        found.setdefault(r.experiment, {})[str(r.threads)] = r.entry
    return found
