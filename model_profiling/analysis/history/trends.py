# SPDX-License-Identifier: Apache-2.0
"""Series of comparable results over time, their changes with the versions that lie between, and the gate. Pure."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from model_profiling.analysis.history.metrics import LATENCY, METRICS, TIMED, TrendMetric
from model_profiling.analysis.history.rows import VERSION_FIELDS, HistoryRow, RecordedRun, SeriesKey
from model_profiling.analysis.history.shifts import Shift, find_shifts
from model_profiling.pipeline.lockstep.rounds import LOST_SHARE

#: ExecuTorch 1.0 was released in October 2025: clocks that say less have not been set.
EARLIEST = datetime(2025, 1, 1, tzinfo=timezone.utc)
#: Two clocks may differ by as much before one of them is said to be wrong.
_SLACK = timedelta(minutes=5)
FUTURE, UNSET, BACKWARDS, UNREADABLE = "future", "unset", "backwards", "unreadable"
#: A 95 % interval of many launches reaches as many standard errors to each side.
_REACH = 1.96


@dataclass(frozen=True)
class VersionStep:
    """One version that differs between two neighboring runs: a field of `Versions`, before and after."""

    field: str
    before: str
    after: str


@dataclass(frozen=True)
class LevelChange:
    """A metric's change of level in a series: `place` is the first run after it, `steps` what lies between.

    `cpu_shares` are how much of the processor the runs before and after it got (medians), where one of them got
    much less: other programs were running, and a time says less of the model.
    """

    metric: TrendMetric
    place: int
    shift: Shift
    steps: tuple[VersionStep, ...]
    cpu_shares: tuple[float, float] | None = None

    @property
    def worse_percent(self) -> float:
        """How much worse it got, in percent of what it was; below 0 where it got better."""
        ratio = self.shift.after / self.shift.before if self.shift.before else math.inf
        return 100 * self.metric.worse * (ratio - 1)


@dataclass(frozen=True)
class TrendPoint:
    """A run's row in a series."""

    run: RecordedRun
    row: HistoryRow


@dataclass(frozen=True)
class Trend:
    """A series in the order of its runs' own times, and its changes in that order."""

    key: SeriesKey
    points: tuple[TrendPoint, ...]
    changes: tuple[LevelChange, ...]

    def newest(self, metric: TrendMetric) -> LevelChange | None:
        """Return the newest change of a metric."""
        own = [change for change in self.changes if change.metric is metric]
        return own[-1] if own else None


@dataclass(frozen=True)
class Regression:
    """A newest change for the worse, beyond what is allowed."""

    trend: Trend
    change: LevelChange


def trends_of(runs: Iterable[RecordedRun]) -> tuple[Trend, ...]:
    """Return every series of the runs, those of one model together."""
    by_series: dict[SeriesKey, list[TrendPoint]] = {}
    for run in sorted(runs, key=lambda run: (time_of(run), run.digest)):
        for row in run.rows:
            by_series.setdefault(row.series, []).append(TrendPoint(run, row))
    keys = sorted(by_series, key=_order)
    return tuple(Trend(key, tuple(by_series[key]), tuple(_changes(by_series[key]))) for key in keys)


def regressions(trends: Iterable[Trend], percent: float, since: str = "") -> Iterator[Regression]:
    """Yield the newest changes of latency, load time, memory and size that got worse by more than `percent`.

    `since` leaves out what changed before that time, ISO 8601.
    """
    for trend in trends:
        for metric in METRICS:
            change = trend.newest(metric) if metric.gated else None
            if change is None or change.worse_percent <= percent:
                continue
            if time_of(trend.points[change.place].run) >= _sortable(since):
                yield Regression(trend, change)


def implausible(run: RecordedRun, now: datetime) -> str:
    """Return what is wrong with a run's times, as one of the words above; "" where nothing is."""
    started, finished = parsed_time(run.started), parsed_time(run.finished)
    if started is None or finished is None:
        return UNREADABLE
    if max(started, finished) > now + _SLACK:
        return FUTURE
    if started < EARLIEST:
        return UNSET
    return BACKWARDS if finished < started else ""


def parsed_time(text: str) -> datetime | None:
    """Return a time in UTC from ISO 8601, None where it is none."""
    try:
        time = datetime.fromisoformat(text.replace("Z", "+00:00"))
        return time.replace(tzinfo=timezone.utc) if time.tzinfo is None else time.astimezone(timezone.utc)
    except (ValueError, OverflowError):
        return None


def time_of(run: RecordedRun) -> datetime:
    """Return when a run began, by its own clock; one that cannot be read counts as the earliest."""
    return _sortable(run.started)


def _sortable(text: str) -> datetime:
    return parsed_time(text) or datetime.min.replace(tzinfo=timezone.utc)


def _order(key: SeriesKey) -> tuple[object, ...]:
    place = (key.model, key.recipe, key.program, key.method, key.shapes, key.cpu, key.device, key.build, key.emulated)
    return (*place, key.runner, key.threads, key.switched, not key.off, key.cores, key.variant)


def _changes(points: Sequence[TrendPoint]) -> list[LevelChange]:
    changes = []
    for metric in METRICS:
        known = [(i, value) for i, point in enumerate(points) if (value := metric.value(point.row)) is not None]
        places, values = [place for place, _ in known], [value for _, value in known]
        for shift in _shifts(metric, values, points[places[-1]].row if places else None):
            place = places[shift.place]
            before = points[places[shift.place - 1]].row
            shares = _cpu_shares([points[i].row for i in places], shift) if metric in TIMED else None
            changes.append(LevelChange(metric, place, shift, tuple(_steps(before, points[place].row)), shares))
    return sorted(changes, key=lambda change: change.place)


def _cpu_shares(rows: Sequence[HistoryRow], shift: Shift) -> tuple[float, float] | None:
    """Return what runs before and after a change got of the processor; None where it was as much, or is unknown."""
    sides = rows[shift.place - shift.runs[0] : shift.place], rows[shift.place : shift.place + shift.runs[1]]
    known = [[row.cpu_share for row in side if row.cpu_share is not None] for side in sides]
    if not all(known):
        return None
    before, after = map(statistics.median, known)
    return (before, after) if min(before, after) < (1 - LOST_SHARE) * max(before, after) else None


def _shifts(metric: TrendMetric, values: Sequence[float], newest: HistoryRow | None) -> tuple[Shift, ...]:
    if metric.exact:
        return _exact_shifts(values, metric.least)
    if newest is None or min(values) <= 0:
        return ()
    error = 0.0
    if metric is LATENCY and newest.low_ms and newest.high_ms:
        error = math.log(newest.high_ms / newest.low_ms) / (2 * _REACH)
    return find_shifts(values, metric.least, error)


def _exact_shifts(values: Sequence[float], least: float) -> tuple[Shift, ...]:
    """Return every difference between neighbors that is larger than `least` of the larger one."""
    cuts = [i for i in range(1, len(values)) if abs(values[i] - values[i - 1]) > least * max(values[i], values[i - 1])]
    edges = [0, *cuts, len(values)]
    return tuple(
        Shift(cut, values[cut - 1], values[cut], (cut - edges[i], edges[i + 2] - cut)) for i, cut in enumerate(cuts)
    )


def _steps(before: HistoryRow, after: HistoryRow) -> Iterator[VersionStep]:
    for field in VERSION_FIELDS:
        old, new = getattr(before.versions, field), getattr(after.versions, field)
        if old != new:
            yield VersionStep(field, old, new)
