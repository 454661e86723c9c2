# SPDX-License-Identifier: Apache-2.0
"""Reading what a report is made of from a run directory, and refusing what is not there yet."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

from model_profiling.analysis.metrics import Metrics
from model_profiling.analysis.summary import AGAIN, AnalysisSummary
from model_profiling.analysis.tables.kernels import KernelRow, read_kernels
from model_profiling.errors import UserError
from model_profiling.files import read_json
from model_profiling.pipeline.manifest import Manifest
from model_profiling.pipeline.run_directory import Launch, RunDirectory
from model_profiling.report.quantities import pointer
from model_profiling.report.words.kernels import kernel_entry_json

SUMMARY, METRICS = "analysis_summary.json", "metrics.json"
_Result = TypeVar("_Result", AnalysisSummary, Metrics)
_LAYER_TEXTS = ("layer", "module", "kind", "detail", "source", "delegated")
_LAYER_NUMBERS = ("multiply_adds", "median_us", "p10_us", "p90_us", "gflops")


@dataclass(frozen=True)
class Table:
    """A CSV table and what its numbers' paths begin with: its file within the run directory."""

    file: str
    rows: Sequence[Mapping[str, str]]

    def path(self, row: int, column: str) -> str:
        return f"{self.file}#{pointer(row, column)}"


@dataclass(frozen=True)
class RunData:
    """A run as read, all plain values; `export` is the model's export record where it is still there.

    `layers` holds the layer table of each experiment and thread count that has one, `kernels`
    the rows of each kernel table. `typed_as` is the run directory as the reader would type it;
    with `prefix` begin the paths of all numbers, where a report lies outside of the run directory.
    """

    manifest: Manifest
    launches: Sequence[Launch]
    summary: dict
    metrics: dict
    export: dict | None = None
    layers: Mapping[tuple[str, int], Table] = field(default_factory=dict)
    kernels: Mapping[tuple[str, int], Sequence[KernelRow]] = field(default_factory=dict)
    typed_as: str = ""
    prefix: str = ""

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
    summary = summary.to_json(kernel_entry_json)
    return RunData(
        manifest,
        directory.read_launches(),
        summary,
        _of_this_model(Metrics.read(directory), directory.metrics, manifest).to_json(),
        _export_record(manifest),
        _layer_tables(directory, manifest.model.id, summary, prefix),
        {
            (name, int(threads)): read_kernels(directory.table(manifest.model.id, name, int(threads), "kernels"))
            for name, by_threads in (summary.get("kernels") or {}).items()
            for threads in by_threads
        },
        prefix=prefix,
    )


def read_table(path: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV table by column name.

    Raises
    ------
    UserError : the file cannot be read as a table.
    """
    try:
        with open(path, newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(
            f"the table cannot be read ({error})", f"at {path}", "run analyze_results.py again to write it anew"
        ) from error


def _layer_tables(directory: RunDirectory, model: str, summary: Mapping, prefix: str) -> dict[tuple[str, int], Table]:
    found = {}
    for name, by_threads in summary["experiments"].items():
        for threads in map(int, by_threads):
            path = directory.table(model, name, threads, "layers")
            if path.is_file():
                found[name, threads] = Table(
                    prefix + quote(path.relative_to(directory.root).as_posix()), _layer_rows(path)
                )
    return found


def _layer_rows(path: Path) -> list[dict[str, str]]:
    rows, again = read_table(path), "run analyze_results.py again to write it anew"
    for row in rows:
        missing = [column for column in (*_LAYER_TEXTS, *_LAYER_NUMBERS) if row.get(column) is None]
        if missing:
            raise UserError(f"the layer table lacks the column {missing[0]}", f"at {path}", again)
        try:
            for column in _LAYER_NUMBERS:
                float(row[column] or 0)
        except ValueError as error:
            raise UserError(
                f"the layer table holds a value that is not a number ({error})", f"at {path}", again
            ) from error
    return rows


def _of_this_model(result: _Result, path: Path, manifest: Manifest) -> _Result:
    if result.model != manifest.model.id:
        raise UserError("the result is of another model than the manifest", f"at {path}", AGAIN)
    return result


def _export_record(manifest: Manifest) -> dict | None:
    """Return what the export wrote beside the model, if it is there and of this very model."""
    path = Path(manifest.model.path).with_suffix(".json")
    if not path.is_file():
        return None
    try:
        found = read_json(path, "export record")
    except UserError:
        return None  # the report is about the run; a record that went bad only takes its facts along
    pte = found.get("pte") if isinstance(found, dict) else None
    return found if isinstance(pte, dict) and pte.get("sha256") == manifest.model.sha256 else None
