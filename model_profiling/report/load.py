# SPDX-License-Identifier: Apache-2.0
"""Reading what a report is made of from a run directory, and refusing what is not there yet."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar
from urllib.parse import quote

from model_profiling.analysis.advice.ceilings import known_ceilings
from model_profiling.analysis.metrics import Metrics
from model_profiling.analysis.summary import AGAIN, AnalysisSummary
from model_profiling.analysis.tables.kernels import KernelRow, read_kernels
from model_profiling.analysis.tables.layers import LayerRow, read_layers
from model_profiling.analysis.tables.operators import OperatorRow, read_operators
from model_profiling.errors import UserError
from model_profiling.files import read_json
from model_profiling.pipeline.ceilings import Ceilings
from model_profiling.pipeline.manifest import Manifest
from model_profiling.pipeline.measured_programs import MeasuredProgram
from model_profiling.pipeline.program.records import method_record
from model_profiling.pipeline.program_records import KeptProgram, read_records
from model_profiling.pipeline.run_directory import (
    CEILINGS_FILE,
    METRICS_FILE,
    PROGRAM_RECORDS_FILE,
    SUMMARY_FILE,
    Launch,
    RunDirectory,
)
from model_profiling.report.quantities import pointer

SUMMARY, METRICS = SUMMARY_FILE, METRICS_FILE
_Result = TypeVar("_Result", AnalysisSummary, Metrics)
_Row = TypeVar("_Row")
#: What an export wrote beside its model, as JSON.
ExportRecord = Mapping[str, Any]


@dataclass(frozen=True)
class RunTable(Generic[_Row]):
    """A table of an experiment, and what its numbers' paths begin with: its file within the run directory."""

    file: str
    rows: Sequence[_Row]

    def path(self, row: int, column: str) -> str:
        return f"{self.file}#{pointer(row, column)}"


@dataclass(frozen=True)
class RunData:
    """A run as read, all plain values; `exports` are the programs' export records where they are still there.

    They are in the order of `Manifest.every_program`, and so are `records`, which the run kept of its programs.
    `layers` and `operators` hold the tables of each experiment and thread count that has them,
    `kernels` the rows of each kernel table. `typed_as` is the run directory as the reader would type it;
    with `prefix` begin the paths of all numbers, where a report lies outside of the run directory.
    """

    manifest: Manifest
    launches: Sequence[Launch]
    summary: AnalysisSummary
    metrics: Metrics
    exports: Sequence[ExportRecord | None] = ()
    records: Sequence[KeptProgram] = ()
    layers: Mapping[tuple[str, int], RunTable[LayerRow]] = field(default_factory=dict)
    operators: Mapping[tuple[str, int], RunTable[OperatorRow]] = field(default_factory=dict)
    kernels: Mapping[tuple[str, int], Sequence[KernelRow]] = field(default_factory=dict)
    typed_as: str = ""
    prefix: str = ""
    ceilings: Ceilings | None = None

    def in_ceilings(self, *keys: object) -> str:
        """Return the path of what stands at `keys` in the ceilings."""
        return f"{self.prefix}{CEILINGS_FILE}#{pointer(*keys)}"

    @property
    def export(self) -> ExportRecord | None:
        """The export record of the run's model, of the first of several programs."""
        return self.exports[0] if self.exports else None

    def export_of(self, experiment: str) -> ExportRecord | None:
        """Return the export record of an experiment's program."""
        return self.exports[self.manifest.program_number(experiment)] if self.exports else None

    def record_of(self, experiment: str) -> KeptProgram:
        """Return what the run kept of an experiment's program."""
        number = self.manifest.program_number(experiment)
        return self.records[number] if self.records else KeptProgram(self.manifest.program(experiment).model.sha256)

    def recipe_of(self, experiment: str) -> str:
        """Return the recipe that an experiment's program was exported in, "" where that is not recorded."""
        made = self.record_of(experiment).made
        return made.dtype if made else ""

    def in_records(self, program: int, *keys: object) -> str:
        """Return the path of what stands at `keys` in the record of a program."""
        return f"{self.prefix}{PROGRAM_RECORDS_FILE}#{pointer('programs', program, *keys)}"

    def in_summary(self, *keys: object) -> str:
        """Return the path of what stands at `keys` in the analysis summary."""
        return f"{self.prefix}{SUMMARY}#{pointer(*keys)}"

    def in_metrics(self, *keys: object) -> str:
        """Return the path of what stands at `keys` in the metrics."""
        return f"{self.prefix}{METRICS}#{pointer(*keys)}"


def read_run(directory: RunDirectory, prefix: str = "") -> RunData:
    """Read a run that has been analyzed; the paths of its numbers begin with `prefix`.

    Raises
    ------
    UserError : no run, no analysis of it yet, or an analysis of another run.
    """
    manifest = directory.read_manifest()
    if not directory.analysis_summary.is_file():
        raise UserError(
            "the run has not been analyzed (analysis_summary.json is missing)",
            f"at {directory.root}",
            f"run analyze_results.py --run-dir {directory.root} first",
        )
    summary = _of_this_model(AnalysisSummary.read(directory), directory.analysis_summary, manifest)
    return RunData(
        manifest,
        directory.read_launches(),
        summary,
        _of_this_model(Metrics.read(directory), directory.metrics, manifest),
        tuple(map(_export_record, manifest.every_program)),
        read_records(directory, manifest),
        _tables(directory, "layers", read_layers, manifest, summary, prefix),
        _tables(directory, "ops_stats", read_operators, manifest, summary, prefix),
        {
            (name, threads): read_kernels(directory.table(manifest.program(name).model.id, name, threads, "kernels"))
            for name, threads, _ in summary.kernels.entries()
        },
        prefix=prefix,
        ceilings=known_ceilings(directory, manifest),
    )


def _tables(
    directory: RunDirectory,
    kind: str,
    read: Callable[[Path], Sequence[_Row]],
    manifest: Manifest,
    summary: AnalysisSummary,
    prefix: str,
) -> dict[tuple[str, int], RunTable[_Row]]:
    tables = {}
    for name, threads, _ in summary.experiments.entries():
        path = directory.table(manifest.program(name).model.id, name, threads, kind)
        if path.is_file():
            file = prefix + quote(path.relative_to(directory.root).as_posix())
            tables[name, threads] = RunTable(file, read(path))
    return tables


def _of_this_model(result: _Result, path: Path, manifest: Manifest) -> _Result:
    if result.model != manifest.model.id:
        raise UserError("the result is of another model than the manifest", f"at {path}", AGAIN)
    return result


def _export_record(program: MeasuredProgram) -> ExportRecord | None:
    """Return what the export wrote of the method beside the model, if it is there and of this very model."""
    model = program.model
    path = Path(model.path).with_suffix(".json")
    if not path.is_file():
        return None
    try:
        record = read_json(path, "export record")
    except UserError:
        return None  # the report is about the run; a record that went bad only takes its facts along
    if not isinstance(record, dict):
        return None
    pte = record.get("pte")
    if not isinstance(pte, dict) or pte.get("sha256") != model.sha256:
        return None
    try:
        return method_record(record, program.method)
    except UserError:
        return None
