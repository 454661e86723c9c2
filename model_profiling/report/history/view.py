# SPDX-License-Identifier: Apache-2.0
"""What the page of a history says, as values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from model_profiling.analysis.history.metrics import LATENCY, METRICS, Metric
from model_profiling.analysis.history.rows import HistoryRow, RecordedRun
from model_profiling.analysis.history.trends import Change, Trend
from model_profiling.report.words import history as words


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
class ChangeRow:
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
class RunRow:
    """A run of the history."""

    when: str
    folder: str
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
    changes: tuple[ChangeRow, ...]
    runs: tuple[RunRow, ...]


#: Sentences at the head of the page; the table has all changes.
_MOST_TOLD = 6


def history_view(
    runs: Sequence[RecordedRun],
    trends: Sequence[Trend],
    faults: dict[str, str],
    left_out: Sequence[str],
    drawn: frozenset[int],
) -> HistoryView:
    """Return the page of a history.

    Parameters
    ----------
    faults : what is wrong with the times of runs, by their digest.
    left_out : runs that could not be taken, one sentence each.
    drawn : which trends have a figure.
    """
    keys = [trend.key for trend in trends]
    names = words.series_names(keys)
    changes = sorted(
        ((trend, number, change) for number, trend in enumerate(trends) for change in trend.changes),
        key=lambda one: (one[0].points[one[2].place].run.started, -one[1]),
        reverse=True,
    )
    ordered = sorted(runs, key=lambda run: run.started, reverse=True)
    span = [words.when(run.started)[:10] for run in (ordered[-1], ordered[0])] if ordered else []
    devices = list(dict.fromkeys(words.device_text(key) for key in keys))
    return HistoryView(
        title="History of " + (words.listed(list(dict.fromkeys(key.model for key in keys))[:4]) or "no runs"),
        byline=tuple(
            filter(
                None, (words.count(len(runs), "run"), " to ".join(dict.fromkeys(span)), *devices[:3], *_more(devices))
            )
        ),
        summary=tuple(
            words.change_sentence(", ".join(names[trend.key]), trend, change)
            for trend, _, change in changes[:_MOST_TOLD]
            if change.metric.gated
        ),
        notes=(
            *(words.time_note(run, faults[run.digest]) + "." for run in ordered if run.digest in faults),
            *(f"Left out: {one}." for one in left_out),
        ),
        series=tuple(
            _series_row(number, trend, names[trend.key], number in drawn) for number, trend in enumerate(trends)
        ),
        changes=tuple(
            _change_row(number, trend, change, names[trend.key], number in drawn) for trend, number, change in changes
        ),
        runs=tuple(_run_row(run, faults.get(run.digest, "")) for run in ordered),
    )


def _more(devices: Sequence[str]) -> tuple[str, ...]:
    return (f"{len(devices) - 3} more devices",) if len(devices) > 3 else ()


def anchor_of(number: int) -> str:
    return f"series-{number + 1}"


def tone_of(change: Change) -> str:
    """Return how a change is colored: "slower" where it is for the worse."""
    return "slower" if change.worse_percent > 0 else "faster"


def _series_row(number: int, trend: Trend, named: tuple[str, str], drawn: bool) -> SeriesRow:
    newest = trend.points[-1]
    cells = tuple(_cell(metric, newest.row, trend) for metric in METRICS)
    return SeriesRow(anchor_of(number), *named, len(trend.points), words.when(newest.run.started), cells, drawn)


def _cell(metric: Metric, row: HistoryRow, trend: Trend) -> ValueCell:
    value = metric.value(row)
    if value is None:
        return ValueCell()
    change, note, tone = trend.newest(metric), "", ""
    if change is not None:
        note, tone = words.percent_text(change), tone_of(change)
    elif metric is LATENCY and row.low_ms is not None and row.high_ms is not None:
        note = f"{words.number(metric, row.low_ms)} to {words.number(metric, row.high_ms)}"
    return ValueCell(words.number(metric, value), value, note, tone)


def _change_row(number: int, trend: Trend, change: Change, named: tuple[str, str], drawn: bool) -> ChangeRow:
    return ChangeRow(
        words.when(trend.points[change.place].run.started),
        anchor_of(number),
        *named,
        words.title_of(change.metric),
        ValueCell(words.percent_text(change), change.worse_percent, "", tone_of(change)),
        words.levels_text(change),
        words.support_text(change),
        words.steps_text(change.steps),
        drawn,
    )


def _run_row(run: RecordedRun, fault: str) -> RunRow:
    first = run.rows[0].versions
    models = list(dict.fromkeys(row.series.program for row in run.rows))
    return RunRow(
        words.when(run.started),
        run.folder,
        first.kit,
        first.executorch,
        first.system,
        words.listed(models),
        first.model[:12],
        fault,
    )
