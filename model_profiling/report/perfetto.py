# SPDX-License-Identifier: Apache-2.0
"""One execution of each experiment as a trace-event file, which ui.perfetto.dev and Chromium open.

The format: "Trace Event Format", docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU,
complete events ("ph": "X") with times in microseconds. Events of one track must nest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from model_profiling.analysis.tables.timeline import TimelineRow, read_first_execution

_TRACK = 1


@dataclass(frozen=True)
class Track:
    """One experiment's execution: what to call it, and the rows of its timeline table."""

    title: str
    rows: Sequence[TimelineRow]


def read_track(path: Path, title: str) -> Track:
    """Read the first execution of a timeline table; raises as `read_first_execution`."""
    return Track(title, read_first_execution(path))


def trace_events(tracks: Iterable[Track], facts: Mapping[str, str]) -> dict[str, object]:
    """Return the trace: one process for each track, delegates nested under the method.

    `facts` (model, feature, ...) go along for whoever opens the file later.
    """
    events: list[dict[str, object]] = []
    for number, track in enumerate(tracks, 1):
        events.append({"ph": "M", "name": "process_name", "pid": number, "tid": 0, "args": {"name": track.title}})
        events.append(
            {"ph": "M", "name": "process_sort_index", "pid": number, "tid": 0, "args": {"sort_index": number}}
        )
        events.append(
            {"ph": "M", "name": "thread_name", "pid": number, "tid": _TRACK, "args": {"name": "one execution"}}
        )
        events.extend(_nested(track.rows, number))
    return {"traceEvents": events, "displayTimeUnit": "ms", "otherData": dict(facts)}


def _nested(rows: Sequence[TimelineRow], process: int) -> list[dict[str, object]]:
    """Return a track's events, every one inside its parent and after its elder siblings.

    XNNPACK measures how long an operator takes and makes its start up, so recorded
    intervals may overlap; drawn ones must not. `args` keeps what was recorded.
    """
    children: dict[int | None, list[TimelineRow]] = {}
    known = {row.event_index for row in rows}
    for row in rows:
        parent = row.parent if row.parent in known and row.parent != row.event_index else None
        children.setdefault(parent, []).append(row)
    events: list[dict[str, object]] = []
    waiting: list[tuple[int | None, float, float]] = [(None, 0.0, float("inf"))]
    while waiting:
        parent, free, end = waiting.pop()
        for row in sorted(children.get(parent, ()), key=lambda r: (r.start_us, r.event_index)):
            start = min(max(row.start_us, free), end)
            stop = min(start + max(row.duration_us, 0.0), end)
            events.append(_event(row, process, start, stop))
            waiting.append((row.event_index, start, stop))
            free = stop
    return sorted(events, key=lambda event: (event["ts"], -event["dur"]))


def _event(row: TimelineRow, process: int, start: float, stop: float) -> dict[str, object]:
    return {
        "ph": "X",
        "name": row.name,
        "cat": row.category or "container",
        "pid": process,
        "tid": _TRACK,
        "ts": round(start, 3),
        "dur": round(stop - start, 3),
        "args": {
            "category": row.category,
            "backend": row.backend,
            "delegated": row.delegated,
            "layer": row.layer,
            "recorded_start_us": row.start_us,
            "recorded_duration_us": row.duration_us,
        },
    }
