# SPDX-License-Identifier: Apache-2.0
"""A run's results as DataFrames, each read when it is first asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from model_profiling.analysis.loading.frames import CATEGORY, Dtypes, dtypes_of, joined, made_of, read_table
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
_LATENCY: Dtypes = {
    "experiment": CATEGORY,
    "threads": "int64",
    "pair": "int64",
    "attempt": "int64",
    "launch": "int64",
    "counts": "bool",
    "execution": "int64",
    "latency_ms": "float64",
}
_COMPARISONS: Dtypes = {
    "baseline": CATEGORY,
    "candidate": CATEGORY,
    "threads": "int64",
    "pairs": "int64",
    "speedup": "float64",
    "ci95_low": "float64",
    "ci95_high": "float64",
    "p_value": "float64",
    "noise_floor_percent": "float64",
    "verdict": CATEGORY,
}
#: As `Opportunity` has them, with layers as one text, and the words of what to do.
_OPPORTUNITIES: Dtypes = {
    "id": "str",
    "kind": CATEGORY,
    "experiment": CATEGORY,
    "threads": "int64",
    "where": "str",
    "now_ms": "float64",
    "bound_ms": "float64",
    "saves_ms": "float64",
    "saves_low_ms": "float64",
    "saves_high_ms": "float64",
    "basis": CATEGORY,
    "per": CATEGORY,
    "do": "str",
    "command": "str",
}
#: Every event repeats these.
TIMELINE_CATEGORIES = ("name", "layer")


@dataclass(frozen=True, eq=False, repr=False)
class RunTables:
    """A run; each table is read when it is first asked for, and never changed by it.

    `operators`, `layers`, `kernels`, `opportunities` and `timeline` have the columns of the CSVs, with the rows of
    every experiment; they have no rows where the run recorded none. Units are in the columns' names.
    All but `latency` raise a `UserError` where the run has not been analyzed, or a table is damaged.
    """

    directory: RunDirectory
    manifest: Manifest

    @cached_property
    def summary(self) -> AnalysisSummary:
        """What analysis_summary.json holds, as values."""
        self._check_analyzed()
        return AnalysisSummary.read(self.directory)

    @cached_property
    def latency(self) -> pd.DataFrame:
        """Every execution without the tracer: its launch, whether that counts, and `latency_ms`."""
        rows = (row for launch in self.directory.read_launches() for row in _executions(launch))
        return made_of(rows, _LATENCY)

    @cached_property
    def comparisons(self) -> pd.DataFrame:
        """The comparisons of analysis_summary.json; `ci95_low` and `ci95_high` bound the speed-up."""
        rows: list[Mapping[str, object]] = [
            {**c.to_json(), "ci95_low": c.interval and c.interval.low, "ci95_high": c.interval and c.interval.high}
            for c in self.summary.comparisons
        ]
        return made_of(rows, _COMPARISONS)

    @cached_property
    def operators(self) -> pd.DataFrame:
        """Every operator of every experiment (`_ops_stats.csv`)."""
        return self._table("ops_stats", dtypes_of(RowIdentity, OperatorStats))

    @cached_property
    def layers(self) -> pd.DataFrame:
        """Every layer of every experiment (`_layers.csv`); with its reach where the machine's ceilings are known."""
        rows = [RowIdentity, Layer, LayerCost, *([LayerShare] if self.manifest.ceilings else [])]
        return self._table("layers", dtypes_of(*rows))

    @cached_property
    def kernels(self) -> pd.DataFrame:
        """Every kernel of every operator, of launches that recorded kernels (`_kernels.csv`)."""
        table: pd.DataFrame = self.kernels_by_threads.drop(columns="threads")
        return table

    @cached_property
    def kernels_by_threads(self) -> pd.DataFrame:
        """`kernels` with the thread count, which the CSV has in its name alone."""
        dtypes = dtypes_of(KernelRow)
        parts = [frame.assign(threads=threads) for threads, frame in self._parts("kernels", dtypes)]
        return joined(parts, {**dtypes, "threads": "int64"})

    @cached_property
    def opportunities(self) -> pd.DataFrame:
        """What to change first, the largest saving first (`opportunities.csv`)."""
        self._check_analyzed()
        path = self.directory.opportunities
        return read_table(path, _OPPORTUNITIES) if path.is_file() else made_of((), _OPPORTUNITIES)

    @cached_property
    def timeline(self) -> pd.DataFrame:
        """Every event of every traced execution (`_all_runs_timeline.csv`)."""
        return self._table("all_runs_timeline", dtypes_of(TimelineRow, categories=TIMELINE_CATEGORIES))

    def _table(self, kind: str, dtypes: Dtypes) -> pd.DataFrame:
        return joined((frame for _, frame in self._parts(kind, dtypes)), dtypes)

    def _parts(self, kind: str, dtypes: Dtypes) -> Iterator[tuple[int, pd.DataFrame]]:
        """Yield the thread count and the rows of each experiment's table, where it has one."""
        self._check_analyzed()
        for experiment in self.manifest.config.experiments:
            for threads in experiment.threads:
                model = self.manifest.program(experiment.name).model.id
                path = self.directory.table(model, experiment.name, threads, kind)
                if path.is_file():
                    yield threads, read_table(path, dtypes)

    def _check_analyzed(self) -> None:
        if not self.directory.analysis_summary.is_file():
            root = self.directory.root
            fix = f"run analyze_results.py --run-dir {root} first"
            raise UserError("the run has not been analyzed (analysis_summary.json does not exist)", f"at {root}", fix)


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
