# SPDX-License-Identifier: Apache-2.0
"""The tables of several runs as one, each row with the run, model, recipe and device that it is of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Generic, TypeVar

import pandas as pd

from model_profiling.analysis.comparing.run_differences import cpu_name
from model_profiling.analysis.loading.frames import CATEGORY, joined
from model_profiling.analysis.loading.run import RunTables
from model_profiling.analysis.program_names import model_and_recipe
from model_profiling.pipeline.program_records import read_records

_Run = TypeVar("_Run", bound=RunTables)
_IDENTITY = ("run", "model", "recipe", "device")


@dataclass(frozen=True, eq=False)
class LoadedRuns(Generic[_Run]):
    """Several runs; their tables are one below the other, in the runs' order.

    Each has the columns of a run's own after `run` (its directory), `model`, `recipe`, `device` and `threads`. A
    comparison has the model and recipe of its candidate.
    """

    runs: tuple[_Run, ...]

    @cached_property
    def latency(self) -> pd.DataFrame:
        """As `LoadedRun.latency`, of all runs."""
        return _together((run, run.latency) for run in self.runs)

    @cached_property
    def comparisons(self) -> pd.DataFrame:
        """As `LoadedRun.comparisons`, of all runs."""
        return _together(((run, run.comparisons) for run in self.runs), "candidate")

    @cached_property
    def operators(self) -> pd.DataFrame:
        """As `LoadedRun.operators`, of all runs."""
        return _together((run, run.operators) for run in self.runs)

    @cached_property
    def layers(self) -> pd.DataFrame:
        """As `LoadedRun.layers`, of all runs; columns that only some have are empty for the others."""
        return _together((run, run.layers) for run in self.runs)

    @cached_property
    def kernels(self) -> pd.DataFrame:
        """As `LoadedRun.kernels`, of all runs."""
        return _together((run, run.kernels_by_threads) for run in self.runs)

    @cached_property
    def opportunities(self) -> pd.DataFrame:
        """As `LoadedRun.opportunities`, of all runs."""
        return _together((run, run.opportunities) for run in self.runs)

    @cached_property
    def timeline(self) -> pd.DataFrame:
        """As `LoadedRun.timeline`, of all runs."""
        return _together((run, run.timeline) for run in self.runs)


def _together(parts: Iterable[tuple[RunTables, pd.DataFrame]], names_experiment: str = "experiment") -> pd.DataFrame:
    frames = [_identified(run, frame, names_experiment) for run, frame in parts]
    columns = dict.fromkeys(column for frame in frames for column in frame.columns)
    lacking = [frame.reindex(columns=list(columns)) for frame in frames]
    kinds = {column: next(f[column].dtype for f in frames if column in f) for column in columns}
    dtypes = {
        column: CATEGORY if isinstance(kind, pd.CategoricalDtype) else str(kind) for column, kind in kinds.items()
    }
    for frame in lacking:
        for column, dtype in dtypes.items():
            if dtype == CATEGORY:
                frame[column] = frame[column].astype(CATEGORY)
    return joined(lacking, dtypes)


def _identified(run: RunTables, frame: pd.DataFrame, names_experiment: str) -> pd.DataFrame:
    manifest = run.manifest
    names = [experiment.name for experiment in manifest.config.experiments]
    records = read_records(run.directory, manifest)
    programs = {
        name: model_and_recipe(manifest.program(name), records[manifest.program_number(name)]) for name in names
    }
    of = frame[names_experiment].astype("str")
    identity = {
        "run": str(run.directory.root),
        "model": of.map({name: model for name, (model, _) in programs.items()}),
        "recipe": of.map({name: recipe for name, (_, recipe) in programs.items()}),
        "device": cpu_name(manifest),
        "threads": frame["threads"],
    }
    whole = frame.drop(columns="threads").assign(**identity)
    whole = whole[[*identity, *(column for column in frame.columns if column != "threads")]]
    return whole.astype(dict.fromkeys(_IDENTITY, CATEGORY))
