# SPDX-License-Identifier: Apache-2.0
"""What the page of a history says, as values."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from urllib.parse import quote

from model_profiling.analysis.history.metrics import LATENCY, METRICS, TrendMetric
from model_profiling.analysis.history.rows import HistoryRow, RecordedRun, SeriesKey
from model_profiling.analysis.history.trends import LevelChange, Trend, time_of
from model_profiling.pipeline.run_directory import RunDirectory
from model_profiling.report.words import history as words
from model_profiling.wording import count, listed


@dataclass(frozen=True)
class ValueCell:
    """A value as printed, what it sorts by, and what stands below it; "" where there is none."""

    text: str = ""
    raw: float | None = None
    note: str = ""
    tone: str = ""


@dataclass(frozen=True)
class SeriesRow:
    """A series' newest results; `cells` are those of `METRICS`, `change` says what changed last."""

    anchor: str
    name: str
    about: str
    runs: int
    newest: str
    cells: tuple[ValueCell, ...]
    drawn: bool


@dataclass(frozen=True)
class LevelChangeRow:
    """A change: when, in which series, what of it and by how much, on what it rests, what lies between."""

    when: str
    anchor: str
    name: str
    about: str
    metric: str
    percent: ValueCell
    levels: str
    support: str
    between: str
    drawn: bool


@dataclass(frozen=True)
class RecordedRunRow:
    """A run of the history; `report` is the address of its report, "" where there is none."""

    when: str
    folder: str
    report: str
    kit: str
    executorch: str
    system: str
    models: str
    digest: str
    fault: str


@dataclass(frozen=True)
class HistoryView:
    """The page."""

    title: str
    byline: tuple[str, ...]
    summary: tuple[str, ...]
    notes: tuple[str, ...]
    series: tuple[SeriesRow, ...]
    changes: tuple[LevelChangeRow, ...]
    runs: tuple[RecordedRunRow, ...]


#: Sentences at the head of the page, and names in its title and byline; tables have all.
_MOST_TOLD, _MOST_NAMED = 6, 3


@dataclass(frozen=True)
class History:
    """What a page is made of.

    `faults` says what is wrong with the times of runs, by their digest, `left_out` why other runs could not be taken.
    `drawn` are the trends that get a figure. `folder` is where the page will lie.
    """

    runs: Sequence[RecordedRun]
    trends: Sequence[Trend]
    faults: Mapping[str, str]
    left_out: Sequence[str]
    drawn: frozenset[int]
    folder: Path

    @cached_property
    def names(self) -> dict[SeriesKey, tuple[str, str]]:
        return words.series_names([trend.key for trend in self.trends])

    @cached_property
    def changes(self) -> list[tuple[int, Trend, LevelChange]]:
        """Every change with its series and the series' number, the newest first."""
        found = [(number, trend, change) for number, trend in enumerate(self.trends) for change in trend.changes]
        return sorted(found, key=lambda one: (_time(one[1].points[one[2].place].run), -one[0]), reverse=True)


def history_view(history: History) -> HistoryView:
    """Return the page of a history."""
    ordered = sorted(history.runs, key=_time, reverse=True)
    names = history.names
    return HistoryView(
        title=f"History of {_models(history)}",
        byline=_byline(history, ordered),
        summary=tuple(
            words.change_sentence(", ".join(names[trend.key]), trend, change)
            for _, trend, change in [one for one in history.changes if one[2].metric.gated][:_MOST_TOLD]
        ),
        notes=tuple(words.notes_of(ordered, history.faults, history.left_out)),
        series=tuple(
            _series_row(number, trend, names[trend.key], number in history.drawn)
            for number, trend in enumerate(history.trends)
        ),
        changes=tuple(
            _change_row(number, trend, change, names[trend.key], number in history.drawn)
            for number, trend, change in history.changes
        ),
        runs=tuple(_run_row(run, history.faults.get(run.digest, ""), history.folder) for run in ordered),
    )


def _time(run: RecordedRun) -> tuple[datetime, str]:
    return time_of(run), run.digest


def _models(history: History) -> str:
    return words.some_of([trend.key.model for trend in history.trends], _MOST_NAMED, "model")


def _byline(history: History, ordered: Sequence[RecordedRun]) -> tuple[str, ...]:
    days = dict.fromkeys(words.when(run.started)[:10] for run in (ordered[-1], ordered[0]))
    devices = [words.device_text(trend.key) for trend in history.trends]
    return count(len(ordered), "run"), " to ".join(days), words.some_of(devices, _MOST_NAMED, "device")


def anchor_of(number: int) -> str:
    return f"series-{number + 1}"


def tone_of(change: LevelChange) -> str:
    """Return how a change is colored: "slower" where it is for the worse."""
    return "slower" if change.worse_percent > 0 else "faster"


def _series_row(number: int, trend: Trend, named: tuple[str, str], drawn: bool) -> SeriesRow:
    newest = trend.points[-1]
    cells = tuple(_cell(metric, newest.row, trend) for metric in METRICS)
    return SeriesRow(anchor_of(number), *named, len(trend.points), words.when(newest.run.started), cells, drawn)


def _cell(metric: TrendMetric, row: HistoryRow, trend: Trend) -> ValueCell:
    value = metric.value(row)
    if value is None:
        return ValueCell()
    change, note, tone = trend.newest(metric), "", ""
    if change is not None:
        note, tone = words.percent_text(change), tone_of(change)
    elif metric is LATENCY and row.low_ms is not None and row.high_ms is not None:
        note = f"{words.number(metric, row.low_ms)} to {words.number(metric, row.high_ms)}"
    return ValueCell(words.number(metric, value), value, note, tone)


def _change_row(number: int, trend: Trend, change: LevelChange, named: tuple[str, str], drawn: bool) -> LevelChangeRow:
    return LevelChangeRow(
        words.when(trend.points[change.place].run.started),
        anchor_of(number),
        *named,
        words.title_of(change.metric),
        ValueCell(words.percent_text(change), change.worse_percent, "", tone_of(change)),
        words.levels_text(change),
        words.support_text(change),
        words.between_text(change),
        drawn,
    )


def _run_row(run: RecordedRun, fault: str, folder: Path) -> RecordedRunRow:
    first = run.rows[0].versions
    models = list(dict.fromkeys(row.series.program for row in run.rows))
    return RecordedRunRow(
        words.when(run.started),
        run.folder,
        _report(run, folder),
        first.kit,
        first.executorch,
        first.system,
        listed(models),
        first.model[:12],
        fault,
    )


def _report(run: RecordedRun, folder: Path) -> str:
    """Return the address of a run's report as the page sees it, "" where it is not there (any more)."""
    report = RunDirectory(Path(run.folder)).report_html
    return quote(os.path.relpath(report.resolve(), folder.resolve())) if report.is_file() else ""
