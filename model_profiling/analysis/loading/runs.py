# SPDX-License-Identifier: Apache-2.0
"""The tables of several runs as one, each row with the run, model, recipe and device that it is of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Generic, TypeVar

import pandas as pd

from model_profiling.analysis.comparing.run_differences import cpu_name
from model_profiling.analysis.loading.frames import CATEGORY, joined, typed
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

    >>> from model_profiling import load_runs
    >>> layers = load_runs(["test-cases/fixtures/reference_run/mac"]).layers
    >>> layers.nlargest(1, "median_us")[["model", "recipe", "experiment", "kind"]].to_dict("records")
    [{'model': 'toy_cnn', 'recipe': 'fp16', 'experiment': 'mac_sme2_off', 'kind': 'Conv2d'}]
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
    kinds = {str(column): str(dtype) for frame in frames for column, dtype in frame.dtypes.items()}
    categories = {column: dtype for column, dtype in kinds.items() if dtype == CATEGORY}
    # A column that only some runs have is empty for the others.
    return joined((typed(frame.reindex(columns=list(kinds)), categories) for frame in frames), kinds)


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
    return typed(whole, dict.fromkeys(_IDENTITY, CATEGORY))
