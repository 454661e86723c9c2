# SPDX-License-Identifier: Apache-2.0
"""A run directory as pandas DataFrames, for notebooks and scripts: `from model_profiling import load_run`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import get_type_hints

import pandas as pd

from model_profiling.analysis.summary import AnalysisSummary
from model_profiling.analysis.tables.kernels import KernelRow
from model_profiling.analysis.tables.layers import LayerShare
from model_profiling.analysis.tables.timeline import TimelineRow
from model_profiling.analysis.traces.layers import Layer, LayerCost
from model_profiling.analysis.traces.operator_stats import OperatorStats
from model_profiling.analysis.traces.recording import RowIdentity
from model_profiling.errors import UserError
from model_profiling.pipeline.manifest import Manifest
from model_profiling.pipeline.run_directory import Launch, RunDirectory

_NS_PER_MS = 1e6
#: Columns of few distinct words.
_CATEGORIES = frozenset(
    ("model_id", "experiment", "category", "backend", "kind", "family", "role", "evidence", "verdict", "bound")
)
#: Columns of 0 and 1.
_FLAGS = frozenset(("delegated", "matrix"))
_KEPT_EMPTY = frozenset(("str", "category"))
_DTYPES: Mapping[object, str] = {
    str: "str",
    int: "int64",
    float: "float64",
    bool: "bool",
    int | None: "Int64",
    float | None: "float64",
}


@dataclass(frozen=True)
class LoadedRun:
    """A run; each table is read when it is first asked for.

    `operators`, `layers`, `kernels` and `timeline` hold the rows of every experiment's table, with the columns
    of the CSV; they have no rows where the run recorded none. Units are in the columns' names.
    """

    directory: RunDirectory
    manifest: Manifest

    @cached_property
    def latency(self) -> pd.DataFrame:
        """Every execution without the tracer: its launch, whether that counts, and `latency_ms`."""
        rows = [row for launch in self.directory.read_launches() for row in _executions(launch)]
        columns = {
            "experiment": "category",
            "threads": "int64",
            "pair": "int64",
            "attempt": "int64",
            "launch": "int64",
            "counts": "bool",
            "execution": "int64",
            "latency_ms": "float64",
        }
        return _typed(pd.DataFrame(rows, columns=list(columns)), columns)

    @cached_property
    def comparisons(self) -> pd.DataFrame:
        """The comparisons of analysis_summary.json; `ci95_low` and `ci95_high` bound the speed-up.

        Raises
        ------
        UserError : the run has not been analyzed.
        """
        columns = {
            "baseline": "category",
            "candidate": "category",
            "threads": "int64",
            "pairs": "int64",
            "speedup": "float64",
            "ci95_low": "float64",
            "ci95_high": "float64",
            "p_value": "float64",
            "noise_floor_percent": "float64",
            "verdict": "category",
        }
        rows = [
            {**c.to_json(), "ci95_low": c.interval and c.interval.low, "ci95_high": c.interval and c.interval.high}
            for c in AnalysisSummary.read(self.directory).comparisons
        ]
        return _typed(pd.DataFrame(rows, columns=list(columns)), columns)

    @cached_property
    def operators(self) -> pd.DataFrame:
        """Every operator of every experiment (`_ops_stats.csv`)."""
        return self._table("ops_stats", RowIdentity, OperatorStats)

    @cached_property
    def layers(self) -> pd.DataFrame:
        """Every layer of every experiment (`_layers.csv`); with its reach where the machine's ceilings are known."""
        return self._table("layers", RowIdentity, Layer, LayerCost, *([LayerShare] if self.manifest.ceilings else []))

    @cached_property
    def kernels(self) -> pd.DataFrame:
        """Every kernel of every operator, of launches that recorded kernels (`_kernels.csv`)."""
        return self._table("kernels", KernelRow)

    @cached_property
    def timeline(self) -> pd.DataFrame:
        """Every event of every traced execution (`_all_runs_timeline.csv`)."""
        return self._table("all_runs_timeline", TimelineRow)

    def _table(self, kind: str, *rows: type) -> pd.DataFrame:
        dtypes = {column: dtype for row in rows for column, dtype in _dtypes(row).items()}
        read = [_read(path, dtypes) for path in self._files(kind)]
        return _typed(pd.concat(read or [pd.DataFrame(columns=list(dtypes))], ignore_index=True), dtypes)

    def _files(self, kind: str) -> Iterator[Path]:
        for experiment in self.manifest.config.experiments:
            for threads in experiment.threads:
                model = self.manifest.program(experiment.name).model.id
                path = self.directory.table(model, experiment.name, threads, kind)
                if path.is_file():
                    yield path


def load_run(path: str | os.PathLike[str]) -> LoadedRun:
    """Open the run directory at `path`.

    Raises
    ------
    UserError : there is no run, or its manifest was edited.
    """
    directory = RunDirectory(Path(path))
    return LoadedRun(directory, directory.read_manifest())


def _typed(frame: pd.DataFrame, dtypes: Mapping[str, str]) -> pd.DataFrame:
    typed: pd.DataFrame = frame.astype(dtypes)
    return typed


def _executions(launch: Launch) -> Iterator[Sequence[object]]:
    for number, time_ns in enumerate(launch.latency_ns):
        yield (
            launch.experiment,
            launch.threads,
            launch.pair,
            launch.attempt,
            launch.index,
            launch.counts,
            number,
            time_ns / _NS_PER_MS,
        )


def _dtypes(row: type) -> dict[str, str]:
    hints = get_type_hints(row)
    return {field.name: _dtype(field.name, hints[field.name]) for field in fields(row)}


def _dtype(column: str, hint: object) -> str:
    if column in _CATEGORIES:
        return "category"
    # In a run's own tables every row has its thread count and its pair.
    return "bool" if column in _FLAGS else "int64" if hint == int | str else _DTYPES[hint]


def _read(path: Path, dtypes: Mapping[str, str]) -> pd.DataFrame:
    """Read a table; an empty cell is no number in a column of numbers, and no text in one of texts."""
    again = "run analyze_results.py again to write it anew"
    texts = {column: "str" if dtype in _KEPT_EMPTY else dtype for column, dtype in dtypes.items()}
    empty = {column: [""] for column, dtype in dtypes.items() if dtype not in _KEPT_EMPTY}
    flags = {column: "int64" for column, dtype in dtypes.items() if dtype == "bool"}
    try:
        table = pd.read_csv(path, dtype={**texts, **flags}, keep_default_na=False, na_values=empty)
    except (OSError, ValueError) as error:
        raise UserError(f"the table cannot be read ({error})", f"at {path}", again) from error
    missing = [column for column in dtypes if column not in table.columns]
    if missing:
        raise UserError(f"the table lacks the column {missing[0]}", f"at {path}", again)
    return table
