# SPDX-License-Identifier: Apache-2.0
"""The timeline tables (`_all_runs_timeline.csv`, `_run0_timeline.csv`): one row an event of an execution.

Such a table can have hundreds of thousands of rows, so its columns are written whole
(`csv_text`), and read into columns again.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model_profiling.analysis.tables import csv_text
from model_profiling.analysis.tables.csv_rows import read_rows
from model_profiling.analysis.tables.csv_text import cell, header
from model_profiling.analysis.tables.typed_rows import columns_of, read_row
from model_profiling.analysis.traces.etdump import Ints
from model_profiling.analysis.traces.operators import METHOD
from model_profiling.analysis.traces.recording import Recording, RowIdentity
from model_profiling.analysis.traces.timeline import BACKEND_NAMES, CATEGORY_NAMES, Timeline
from model_profiling.errors import UserError


@dataclass(frozen=True)
class TimelineRow:
    """One event; fields are the table's columns. Times in us; `start_us` is relative to Method::execute's.

    `pair` and `threads` are "" where a trace stands alone, `parent` is None for Method::execute.
    """

    model_id: str
    experiment: str
    threads: int | str
    pair: int | str
    run_index: int
    event_index: int
    name: str
    category: str
    delegated: bool
    backend: str
    start_us: float
    duration_us: float
    parent: int | None
    layer: str
    pct_of_run: float


TIMELINE_COLUMNS = columns_of(TimelineRow)
#: Tables of before the kit knew layers lack it.
_OPTIONAL = frozenset(("layer",))

_BYTES_AT_ONCE = 4 << 20  # bounds the memory that rows under construction take
_NUMBERS_WIDTH = 120  # bytes of a row beside its texts, at most
_US_PLACES, _PERCENT_PLACES = 3, 4

_NS_PER_US = 1000
_LONGEST_US = 1e12  # 11 days: beyond any execution, and far from the limits of 64-bit ns
_NAME = "the timeline"
_AGAIN = "run analyze_results.py again to write it anew"
_FIX = "name an *_all_runs_timeline.csv that analyze_results.py or etdump_to_csv.py wrote"


def timeline_csv(identity: RowIdentity, recordings: Sequence[Recording]) -> bytes:
    """Return the table of every event of every execution, as UTF-8 CSV."""
    parts = (part for recording in recordings for part in _timeline_rows(identity, recording, len(recording.timeline)))
    return b"".join((header(TIMELINE_COLUMNS), *parts))


def first_run_csv(identity: RowIdentity, recordings: Sequence[Recording]) -> bytes:
    """Return the same table for the first execution after warm-up of the first recording."""
    first = recordings[0]
    rows = int(np.searchsorted(first.timeline.run, 1))
    return b"".join((header(TIMELINE_COLUMNS), *_timeline_rows(identity, first, rows)))


def _timeline_rows(identity: RowIdentity, recording: Recording, count: int) -> Iterator[bytes]:
    """Yield the first `count` rows of a recording as CSV, so many at once as memory allows."""
    start = ",".join(map(cell, (*astuple(identity), recording.pair)))
    longest = sum(
        max((len(cell(name).encode("utf-8")) for name in names), default=0)
        for names in (recording.timeline.names, recording.layer_names)
    )
    step = max(1, _BYTES_AT_ONCE // (len(start) * 4 + longest + _NUMBERS_WIDTH))
    for first in range(0, count, step):
        yield _render(recording, slice(first, min(first + step, count)), start)


def _render(recording: Recording, rows: slice, start: str) -> bytes:
    t = recording.timeline
    run, duration = t.run[rows], t.duration_ns[rows]
    percent = 100 * duration / np.maximum(t.method_ns, 1)[run] * 10**_PERCENT_PLACES
    count = len(run)
    return csv_text.join(
        [
            csv_text.texts([start], np.zeros(count, np.int64)),
            csv_text.integers(run),
            csv_text.integers(t.event[rows]),
            _kinds(t, rows),
            csv_text.decimals(t.start_ns[rows], _US_PLACES),
            csv_text.decimals(duration, _US_PLACES),
            csv_text.integers(t.parent[rows], empty_below=0),
            _layer_cells(recording, rows, count),
            csv_text.decimals(np.rint(np.minimum(percent, csv_text.LARGEST)).astype(np.int64), _PERCENT_PLACES),
        ],
        count,
    )


def _layer_cells(recording: Recording, rows: slice, count: int) -> NDArray[np.uint8]:
    if recording.layer is None:
        return np.zeros((count, 0), np.uint8)
    names = ["", *map(cell, recording.layer_names)]
    return csv_text.texts(names, recording.layer[rows] + 1)


def _kinds(t: Timeline, rows: slice) -> NDArray[np.uint8]:
    """Return "name,category,delegated,backend" of each row, made once for each distinct one."""
    shape = (len(t.names), len(CATEGORY_NAMES), 2, len(t.backends))
    code = np.ravel_multi_index(
        (t.name[rows], t.category[rows], t.delegated[rows].astype(np.int64), t.backend[rows]), shape
    )
    distinct, inverse = np.unique(code, return_inverse=True)
    parts = zip(*np.unravel_index(distinct, shape), strict=True)
    return csv_text.texts(
        [f"{cell(t.names[n])},{CATEGORY_NAMES[c]},{d},{cell(t.backends[b])}" for n, c, d, b in parts],
        inverse.reshape(-1),
    )


def read_first_execution(path: Path) -> tuple[TimelineRow, ...]:
    """Return the rows of a timeline table's first execution; none of an empty table.

    Raises
    ------
    UserError : the file is missing, is no timeline table, or holds something else than numbers where they belong.
    """
    first: tuple[str, str] | None = None
    rows = []
    for number, values in enumerate(read_rows(path, TIMELINE_COLUMNS, _AGAIN, _OPTIONAL, _NAME), 2):
        execution = values["pair"], values["run_index"]
        first = first or execution
        if execution == first:
            rows.append(read_row(TimelineRow, {"layer": "", **values}, f"at {path}, row {number}", _AGAIN, _NAME))
    return tuple(rows)


def read_launches(path: Path) -> Iterator[tuple[RowIdentity, Recording]]:
    """Yield what a timeline table holds, launch by launch.

    Raises
    ------
    UserError : the file is missing or is no timeline table.
    """
    groups: dict[tuple[str, str, str, str], list[dict[str, str]]] = {}
    for row in read_rows(path, TIMELINE_COLUMNS, _FIX, _OPTIONAL):
        groups.setdefault((row["model_id"], row["experiment"], row["threads"], row["pair"]), []).append(row)
    if not groups:
        raise UserError("the table has no rows", f"at {path}", _FIX)
    for (model, experiment, threads, pair), rows in groups.items():
        yield RowIdentity(model, experiment, threads), Recording(_timeline(rows, path), pair, *_layers_of(rows))


def _timeline(rows: Sequence[dict[str, str]], path: Path) -> Timeline:
    """Rebuild one launch's timeline; its executions are the distinct run indices, in order."""
    names = tuple(dict.fromkeys(row["name"] for row in rows))
    backends = tuple(dict.fromkeys((*BACKEND_NAMES, *(row["backend"] for row in rows))))
    codes = [{text: code for code, text in enumerate(choices)} for choices in (names, backends, CATEGORY_NAMES)]
    try:
        _, run = np.unique([int(row["run_index"]) for row in rows], return_inverse=True)
        category = np.array([codes[2][row["category"]] for row in rows], np.int64)
        timeline = Timeline(
            names=names,
            run=run.reshape(-1),
            event=np.array([int(row["event_index"]) for row in rows], np.int64),
            name=np.array([codes[0][row["name"]] for row in rows], np.int64),
            category=category,
            delegated=np.array([{"0": False, "1": True}[row["delegated"]] for row in rows]),
            backend=np.array([codes[1][row["backend"]] for row in rows], np.int64),
            start_ns=_times(rows, "start_us", -_LONGEST_US),
            duration_ns=_times(rows, "duration_us", 0.0),
            parent=np.array([int(row["parent"] or -1) for row in rows], np.int64),
            instruction=np.zeros(len(rows), np.int64),
            backends=backends,
            method_row=np.flatnonzero([row["name"] == METHOD for row in rows]),
        )
    except (ValueError, KeyError, OverflowError) as error:
        raise UserError(f"the table holds a value that does not belong there ({error})", f"at {path}", _FIX) from error
    counts = np.bincount(timeline.run[timeline.method_row], minlength=int(timeline.run.max()) + 1)
    if (counts != 1).any() or (timeline.method_ns <= 0).any():
        raise UserError(f"an execution has not exactly one {METHOD} row with a duration", f"at {path}", _FIX)
    return timeline


def _layers_of(rows: Sequence[dict[str, str]]) -> tuple[Ints | None, tuple[str, ...]]:
    """Return each row's layer as a position in the names, -1 for none; None where the table names no layer."""
    names = tuple(dict.fromkeys(row["layer"] for row in rows if row.get("layer")))
    if not names:
        return None, ()
    code = {name: number for number, name in enumerate(names)}
    return np.array([code.get(row["layer"], -1) for row in rows], np.int64), names


def _times(rows: Sequence[dict[str, str]], column: str, least: float) -> Ints:
    values = [float(row[column]) for row in rows]
    for value in values:
        if not (math.isfinite(value) and least <= value <= _LONGEST_US):
            raise ValueError(f"{column} {value:g}")
    times_ns: Ints = np.rint(np.array(values) * _NS_PER_US).astype(np.int64)
    return times_ns
