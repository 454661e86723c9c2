# SPDX-License-Identifier: Apache-2.0
"""The history in words: what series are called, what changed and by how much, and what lies between."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from model_profiling.analysis.history.metrics import COVERAGE, ERROR, LATENCY, LOAD, MEMORY, SIZE, TrendMetric
from model_profiling.analysis.history.rows import VERSION_FIELDS, RecordedRun, SeriesKey
from model_profiling.analysis.history.trends import (
    BACKWARDS,
    FUTURE,
    UNREADABLE,
    UNSET,
    LevelChange,
    Regression,
    Trend,
    VersionStep,
)
from model_profiling.rounding import fixed, places_for
from model_profiling.wording import capitalized, count, listed

#: What a metric is called, its unit, and how many of its own units make one.
_TITLES: Mapping[str, tuple[str, str, float]] = {
    LATENCY.name: ("latency", "ms", 1.0),
    LOAD.name: ("load time", "ms", 1.0),
    MEMORY.name: ("peak memory", "MiB", 1.0),
    SIZE.name: ("size", "MB", 1e6),
    COVERAGE.name: ("coverage by SME2", "%", 0.01),
    ERROR.name: ("greatest error", "%", 0.01),
}
#: Notes of one kind; a folder full of runs by a wrong clock would hide all else.
MOST_NOTES = 5
#: Significant digits of a level, and of a change in percent.
_DIGITS = 4
_SHA_DIGITS = 12
_TIMES = {
    FUTURE: "its time lies in the future",
    UNSET: "its clock had not been set",
    BACKWARDS: "it ended before it began",
    UNREADABLE: "its time cannot be read",
}


def title_of(metric: TrendMetric) -> str:
    return _TITLES[metric.name][0]


def unit_of(metric: TrendMetric) -> str:
    return _TITLES[metric.name][1]


def number(metric: TrendMetric, value: float, digits: int = _DIGITS) -> str:
    """Return a metric's value in its unit, without it."""
    _, _, scale = _TITLES[metric.name]
    shown = value / scale
    places = max(places_for(None, shown) + digits - 2, 0) if shown else 0
    return fixed(shown, min(places, 6))


def value_text(metric: TrendMetric, value: float) -> str:
    """Return a metric's value with its unit."""
    return f"{number(metric, value)} {unit_of(metric)}"


def percent_text(change: LevelChange) -> str:
    """Return a change in percent with its sign, as more or less of the metric: "+12 %"."""
    if not change.shift.before:
        return "from 0"
    percent = 100 * (change.shift.ratio - 1)
    places = 0 if abs(percent) >= 10 else 1
    return f"{'+' if percent > 0 else '−' if percent < 0 else ''}{fixed(abs(percent), places)} %"


def side_text(key: SeriesKey) -> str:
    """Return "AVX-512 off", "" where no feature was switched."""
    return f"{key.switched} {'off' if key.off else 'on'}" if key.switched else ""


def device_text(key: SeriesKey) -> str:
    emulated = ", emulated" if key.emulated and "emulated" not in key.cpu else ""
    return key.cpu + emulated + (f", {key.build}" if key.build else "") + _serial(key)


def _serial(key: SeriesKey) -> str:
    serial = key.device.partition(" ")[2]
    return f", {serial}" if serial and serial not in key.cpu else ""


def series_names(keys: Sequence[SeriesKey]) -> dict[SeriesKey, tuple[str, str]]:
    """Return each series' name and what tells it apart from others: parts that all share are left out."""
    told = {key: _parts(key) for key in keys}
    telling = [i for i in range(len(_parts(keys[0]))) if len({parts[i] for parts in told.values()}) > 1] if keys else []
    return {
        key: (f"{key.model}, {key.recipe}", ", ".join(filter(None, (*_always(key), *(parts[i] for i in telling)))))
        for key, parts in told.items()
    }


def _always(key: SeriesKey) -> tuple[str, ...]:
    return side_text(key), count(key.threads, "thread")


def _parts(key: SeriesKey) -> tuple[str, ...]:
    stem = key.program
    return (
        stem if stem != f"{key.model}_xnnpack_{key.recipe}" else "",
        key.method,
        ", ".join(key.shapes),
        key.variant,
        f"{key.runner} runner" if key.runner else "",
        f"cores {key.cores}" if key.cores else "",
        device_text(key),
    )


def shared_parts(keys: Sequence[SeriesKey]) -> str:
    """Return what all series share of that which their names leave out."""
    if not keys:
        return ""
    all_parts = [_parts(key) for key in keys]
    return ", ".join(p for i, p in enumerate(all_parts[0]) if p and len({parts[i] for parts in all_parts}) == 1)


def some_of(names: Sequence[str], most: int, what: str) -> str:
    """Return different names as a sentence lists them, the last ones counted where there are more than `most`."""
    several = list(dict.fromkeys(names))
    more = len(several) - most
    return listed([*several[:most], *([f"{more} more {what if more == 1 else what + 's'}"] if more > 0 else [])])


def when(started: str) -> str:
    """Return a run's time to the minute, as its own clock had it."""
    return started[:16].replace("T", " ")


def between_text(change: LevelChange) -> str:
    """Say which versions lie between the runs before a change and after it, and whether the machine was busy."""
    told = list(map(_step, change.steps))
    if change.cpu_shares is not None:
        told.append(_busy(*change.cpu_shares))
    return listed(told) if told else "nothing that a run records"


def _busy(before: float, after: float) -> str:
    """Say on which side of a change other programs ran, and how much less of the processor that left to the runs."""
    share = f"{100 * min(before, after) / max(before, after):.0f} %"
    if after < before:
        return f"the machine has been busy: runs get {share} of the processor time that they got before"
    return f"the machine was busy before: runs got {share} of the processor time that they get now"


def _step(step: VersionStep) -> str:
    name = VERSION_FIELDS[step.field]
    if step.field in ("model", "runner"):
        return f"another {name} ({step.before[:_SHA_DIGITS] or 'unknown'} → {step.after[:_SHA_DIGITS] or 'unknown'})"
    return f"{name} {step.before or 'unknown'} → {step.after or 'unknown'}"


def levels_text(change: LevelChange) -> str:
    return f"{number(change.metric, change.shift.before)} → {value_text(change.metric, change.shift.after)}"


def support_text(change: LevelChange) -> str:
    """Say how many runs stand behind a change."""
    before, after = change.shift.runs
    told = f"{count(before, 'run')} before, {after} since"
    return f"{told}: new, measure once more to be sure" if change.shift.new and after == 1 else told


def change_sentence(name: str, trend: Trend, change: LevelChange) -> str:
    """Return a change in one sentence."""
    verb = "rose" if change.shift.after > change.shift.before else "fell"
    by = percent_text(change).lstrip("+−")
    run = trend.points[change.place].run
    return (
        f"{name}: {title_of(change.metric)} {verb} by {by} ({levels_text(change)}; {support_text(change)}) at "
        f"{when(run.started)}; what differs: {between_text(change)}."
    )


def regression_line(found: Sequence[Regression], names: Mapping[SeriesKey, tuple[str, str]], percent: float) -> str:
    """Say in one line what got worse by more than is allowed."""
    told = [
        f"{', '.join(names[one.trend.key])}: {title_of(one.change.metric)} {percent_text(one.change)} at "
        f"{when(one.trend.points[one.change.place].run.started)} ({between_text(one.change)})"
        for one in found
    ]
    return f"worse by more than the {percent:g} % allowed: {'; '.join(told)}"


def time_note(run: RecordedRun, fault: str) -> str:
    """Say that a run's time is implausible: its place in the order may be wrong."""
    return f"{run.folder}: {_TIMES[fault]} ({run.started}), so its place in the order may be wrong"


def notes_of(runs: Sequence[RecordedRun], faults: Mapping[str, str], left_out: Sequence[str]) -> list[str]:
    """Return what to know of runs whose times are implausible, and why others were left out; of many the first few."""
    times = [f"{time_note(run, faults[run.digest])}." for run in runs if run.digest in faults]
    others = [f"Left out: {one}." for one in left_out]
    return [*_first(times, "with an implausible time"), *_first(others, "left out")]


def _first(notes: Sequence[str], what: str) -> list[str]:
    more = len(notes) - MOST_NOTES
    return [*notes[:MOST_NOTES], *([f"{count(more, 'more run')} {what}."] if more > 0 else [])]


def summary_line(runs: int, series: int, changes: int) -> str:
    """Return what a history holds, in one sentence."""
    return capitalized(
        f"{count(runs, 'run')}, {count(series, 'series') if series == 1 else f'{series:,} series'}, "
        + (f"{count(changes, 'change')}." if changes else "no change found.")
    )


def added_text(new: int, renewed: int) -> str:
    """Say what an index gained."""
    told = f"{count(new, 'run')} added" if new else "no run added"
    return f"{told}, {renewed} renewed" if renewed else told
