# SPDX-License-Identifier: Apache-2.0
"""What history.py does: read runs, add them to the index, find changes, write the page, fail where it got worse."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path

from model_profiling.analysis.history.index import add_runs, read_runs
from model_profiling.analysis.history.reading import find_runs, read_recorded_run
from model_profiling.analysis.history.rows import RecordedRun
from model_profiling.analysis.history.trends import implausible, regressions, trends_of
from model_profiling.console import say
from model_profiling.errors import KitError, UserError
from model_profiling.report.generate import kind_of
from model_profiling.report.history.output import write_history
from model_profiling.report.words import history as words


class WorseError(KitError):
    """A newest change is one for the worse, by more than is allowed."""

    exit_code = 1


def write_history_page(
    folders: Sequence[Path], index: Path | None, outs: Sequence[Path], percent: float | None, since: str
) -> None:
    """Write the page of all runs in `folders` and in the index, and add those to it.

    Raises
    ------
    UserError : nothing to read, no run that can be taken, a damaged index, or a target of another kind.
    WorseError : a newest change is worse than `percent` allows.
    """
    for out in outs:
        kind_of(out)  # a wrong name must not cost the reading
    if not folders and index is None:
        raise UserError("no runs are named", "on the command line of history.py", "give --runs, --index or both")
    runs, left_out = _read(folders)
    if index is not None:
        if runs:
            added = add_runs(index, runs)
            say(f"{index}: {words.added_text(added.new, added.renewed)}")
        runs = read_runs(index)
    if not runs:
        raise UserError(left_out[0] if left_out else "the index holds no run", "in --runs", "name finished runs")
    now = datetime.now(timezone.utc)
    faults = {run.digest: fault for run in runs if (fault := implausible(run, now))}
    trends = trends_of(runs)
    written = write_history(outs, runs, trends, faults, left_out)
    _say(runs, len(trends), sum(len(trend.changes) for trend in trends), faults, left_out)
    for path in written:
        say(f"  {path}")
    if percent is not None:
        names = words.series_names([trend.key for trend in trends])
        worse = list(regressions(trends, percent, since))
        sys.stdout.flush()
        if worse:
            raise WorseError(words.regression_line(worse, names, percent))
        say(f"No newest change is worse by more than {percent:g} %.")


def _read(folders: Sequence[Path]) -> tuple[list[RecordedRun], list[str]]:
    """Return the runs that can be taken, each once, and why others cannot."""
    by_digest: dict[str, RecordedRun] = {}
    left_out = []
    for directory in find_runs(folders) if folders else ():
        try:
            run = read_recorded_run(directory)
            by_digest.setdefault(run.digest, run)
        except UserError as error:
            left_out.append(f"{error.what}, {error.where}")
    return list(by_digest.values()), left_out


def _say(
    runs: Sequence[RecordedRun], series: int, changes: int, faults: dict[str, str], left_out: Sequence[str]
) -> None:
    say(words.summary_line(len(runs), series, changes))
    for note in words.notes_of(runs, faults, left_out):
        say(note)
