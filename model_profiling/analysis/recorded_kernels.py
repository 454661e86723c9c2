# SPDX-License-Identifier: Apache-2.0
"""The kernel records of a run directory: their tables, and how much of the model reaches SME2."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from model_profiling.analysis.etdump import read_etdump
from model_profiling.analysis.kernel_record import read_record
from model_profiling.analysis.kernels import Coverage, KernelUse, coverage, kernel_rows, kernel_uses
from model_profiling.analysis.kernel_table import kernels_csv
from model_profiling.analysis.layers import model_layers
from model_profiling.analysis.timeline import build_timeline
from model_profiling.pipeline.config import Config
from model_profiling.pipeline.model_graph import GraphInstruction
from model_profiling.pipeline.run_directory import RunDirectory


@dataclass(frozen=True)
class RecordedKernels:
    """What one experiment's launch at one thread count called."""

    experiment: str
    threads: int
    uses: tuple[KernelUse, ...]
    coverage: Coverage

    def note(self) -> str:
        """Return the coverage in a sentence."""
        return f"{self.experiment}, {self.threads} thread{'s' if self.threads > 1 else ''}: {self.coverage.sentence()}"


def read_recorded(directory: RunDirectory, config: Config,
                  graph: Sequence[GraphInstruction]) -> tuple[RecordedKernels, ...]:
    """Return every kernel record of a run, in the configuration's order.

    Raises
    ------
    UserError : one is missing or damaged, or does not fit the trace beside it.
    """
    return tuple(_read(directory, config, graph))


def _read(directory: RunDirectory, config: Config, graph: Sequence[GraphInstruction]) -> Iterator[RecordedKernels]:
    layers = model_layers(graph)
    for experiment in config.recorded:
        for threads in experiment.threads:
            record, trace = (directory.raw(experiment.name, threads, 0, 0, s) for s in (".kernels", ".etdump"))
            calls, timeline = read_record(record), build_timeline(read_etdump(trace), str(trace))
            uses = kernel_uses(calls, timeline, graph, str(record))
            yield RecordedKernels(experiment.name, threads, uses, coverage(layers, uses))


def kernel_tables(directory: RunDirectory, model: str, recorded: Sequence[RecordedKernels]) -> dict[Path, bytes]:
    """Return the kernel tables by the files that they go to."""
    return {directory.table(model, r.experiment, r.threads, "kernels"): kernels_csv(kernel_rows(model, r.experiment, r.uses))
            for r in recorded}


def kernels_summary(recorded: Sequence[RecordedKernels]) -> dict[str, dict[str, dict]]:
    """Return what analysis_summary.json says: calls and SME2 coverage by experiment and thread count."""
    found: dict[str, dict[str, dict]] = {}
    for r in recorded:
        found.setdefault(r.experiment, {})[str(r.threads)] = {
            "kernel_calls": sum(use.calls for use in r.uses), "sme2_coverage": asdict(r.coverage),
            "sentence": r.coverage.sentence()}
    return found
