# SPDX-License-Identifier: Apache-2.0
"""One run, or several, as notebooks and scripts open them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from markupsafe import Markup

from model_profiling.analysis.comparing.run_differences import cpu_name
from model_profiling.analysis.loading.run import RunTables
from model_profiling.analysis.loading.runs import LoadedRuns
from model_profiling.errors import UserError, nearest
from model_profiling.pipeline.run_directory import RunDirectory
from model_profiling.report.notebook.shown import REPORT_HEIGHT, ShownComparison, ShownOpportunity, ShownReport, filled
from model_profiling.report.words.programs import title_of


class LoadedRun(RunTables):
    """A run of the kit, as `load_run` opens it.

    >>> from model_profiling import load_run
    >>> run = load_run("test-cases/fixtures/reference_run/mac")
    >>> run.manifest.feature.label
    'AVX-512'
    >>> run.comparisons[["candidate", "pairs", "verdict"]].to_dict("records")
    [{'candidate': 'mac_sme2_on', 'pairs': 8, 'verdict': 'faster'}]
    """

    def __repr__(self) -> str:
        return f"LoadedRun({str(self.directory.root)!r})"

    def comparison(self, number: int = 0) -> ShownComparison:
        """Return a comparison by its row in `comparisons`, to be shown in words.

        >>> from model_profiling import load_run
        >>> load_run("test-cases/fixtures/reference_run/mac").comparison()
        mac_sme2_on against mac_sme2_off, 1 thread: 1.648x (95 % interval 1.627 to 1.669 from 8 pairs): faster

        Raises
        ------
        UserError : the run has not been analyzed, or has no such comparison.
        """
        held = self.summary.comparisons
        if not 0 <= number < len(held):
            raise UserError(
                f"there is no comparison {number}: the run has {len(held)}",
                f"in {self.directory.root}",
                "name a row of .comparisons",
            )
        return ShownComparison(held[number], self.manifest.quick)

    def opportunity(self, name: str | None = None) -> ShownOpportunity:
        """Return an opportunity by its id in `opportunities`, else the first, to be shown in words.

        >>> from model_profiling import load_run
        >>> load_run("test-cases/fixtures/reference_run/mac").opportunity("outside-mean-14").saving
        'Saves at most 0.042 ms of an execution'

        Raises
        ------
        UserError : the run has not been analyzed, or has no such opportunity.
        """
        held = {one.id: one for one in self.summary.opportunities}
        chosen = next(iter(held), None) if name is None else name
        if chosen is None or chosen not in held:
            what = "the run has no opportunities" if name is None else f"there is no opportunity {name!r}"
            close = nearest(name, held) if name else ""
            raise UserError(f"{what}{close}", f"in {self.directory.root}", "name an id of .opportunities")
        return ShownOpportunity(held[chosen])

    def report(self, height: int = REPORT_HEIGHT) -> ShownReport:
        """Return the run's report, made anew; a notebook shows it in a frame of `height` CSS pixels.

        >>> from model_profiling import load_run
        >>> report = load_run("test-cases/fixtures/reference_run/mac").report()
        >>> report.html[:15]
        '<!DOCTYPE html>'

        Raises
        ------
        UserError : the run has not been analyzed.
        """
        from model_profiling.report.generate import report_html  # it takes what draws figures, and tables do not

        return ShownReport(report_html(self.directory), title_of(self.manifest), height)

    def _repr_html_(self) -> str:
        manifest = self.manifest
        measured = f"{cpu_name(manifest)}, ExecuTorch {manifest.executorch.version}"
        head = Markup("<b>{}</b>, {}").format(title_of(manifest), measured)
        if not self.directory.analysis_summary.is_file():
            return filled("<p>{}. Not analyzed yet.</p>", head)
        lines = [str(self.comparison(number)) for number in range(len(self.summary.comparisons))]
        if self.summary.opportunities:
            lines.append(f"To change first: {self.opportunity()}")
        items = Markup("").join(Markup("<li>{}</li>").format(line) for line in lines)
        return filled("<div>{}<ul>{}</ul></div>", head, items)


def load_run(path: str | os.PathLike[str]) -> LoadedRun:
    """Open the run directory at `path`; its tables are read when they are first asked for.

    >>> from model_profiling import load_run
    >>> run = load_run("test-cases/fixtures/reference_run/mac")
    >>> medians = run.latency.groupby("experiment", observed=True)["latency_ms"].median()
    >>> medians.round(2).to_dict()
    {'mac_sme2_off': 4.3, 'mac_sme2_on': 2.61}

    Raises
    ------
    UserError : there is no run, or its manifest was edited.
    """
    directory = RunDirectory(Path(path))
    return LoadedRun(directory, directory.read_manifest())


def load_runs(paths: Sequence[str | os.PathLike[str]]) -> LoadedRuns[LoadedRun]:
    """Open several run directories as one: each row says its run, model, recipe, device and threads.

    >>> from model_profiling import load_runs
    >>> runs = load_runs(["test-cases/fixtures/reference_run/mac"])
    >>> runs.comparisons[["model", "recipe", "threads", "verdict"]].to_dict("records")
    [{'model': 'toy_cnn', 'recipe': 'fp16', 'threads': 1, 'verdict': 'faster'}]

    Raises
    ------
    UserError : no path, or one that holds no run; its manifest was edited.
    """
    if isinstance(paths, (str, os.PathLike)) or not paths:
        where = f"in load_runs({paths!r})"
        raise UserError("this is no list of run directories", where, "name at least one run directory in a list")
    return LoadedRuns(tuple(map(load_run, paths)))
