# SPDX-License-Identifier: Apache-2.0
"""A sweep as notebooks and scripts open it."""

from __future__ import annotations

import os
from pathlib import Path

from model_profiling.analysis.loading.runs import LoadedRuns
from model_profiling.analysis.loading.sweep import SweepTables, check_sweep
from model_profiling.analysis.sweeping.summary import DONE
from model_profiling.errors import UserError, nearest
from model_profiling.pipeline.run_directory import RunDirectory
from model_profiling.report.notebook.run import LoadedRun, load_run
from model_profiling.report.notebook.shown import filled
from model_profiling.wording import count


class LoadedSweep(SweepTables):
    """A sweep of the kit, as `load_sweep` opens it; `cells` is its table, `runs` are the runs of its cells.

    >>> from model_profiling import load_sweep
    >>> sweep = load_sweep("out_sweep")
    >>> sweep.runs.comparisons[["model", "recipe", "threads", "verdict"]].to_dict("records")
    [{'model': 'toy_cnn', 'recipe': 'fp16', 'threads': 1, 'verdict': 'faster'}]
    """

    def __repr__(self) -> str:
        return f"LoadedSweep({str(self.root)!r})"

    def run(self, cell: str) -> LoadedRun:
        """Open the run of a cell by its name.

        Raises
        ------
        UserError : there is no such cell, or no run of it.
        """
        folders = {one.name: one.folder for one in self.summary.cells}
        if cell not in folders:
            fix = "name one of .cells"
            raise UserError(f"there is no cell {cell!r}{nearest(cell, folders)}", f"in {self.root}", fix)
        return load_run(self.root / folders[cell])

    @property
    def runs(self) -> LoadedRuns[LoadedRun]:
        """The runs of all cells that are done; cells on an emulated CPU are no runs."""
        done = (self.root / one.folder for one in self.summary.cells if one.status == DONE)
        return LoadedRuns(tuple(load_run(folder) for folder in done if RunDirectory(folder).exists()))

    def _repr_html_(self) -> str:
        counts = ", ".join(f"{number} {status}" for status, number in self.summary.counts.items())
        whole = count(len(self.summary.cells), "cell")
        return filled("<p><b>{}</b>: {} ({})</p>", self.root, whole, counts)


def load_sweep(path: str | os.PathLike[str]) -> LoadedSweep:
    """Open the sweep directory at `path`; its table has a row a cell, those that failed too.

    >>> from model_profiling import load_sweep
    >>> sweep = load_sweep("out_sweep")
    >>> sweep.cells["status"].value_counts().to_dict()
    {'done': 23, 'failed': 1, 'missing': 1}

    Raises
    ------
    UserError : there is no sweep, or it has no results yet.
    """
    root = Path(path)
    check_sweep(root)
    return LoadedSweep(root)
