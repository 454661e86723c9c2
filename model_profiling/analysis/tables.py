# SPDX-License-Identifier: Apache-2.0
"""The CSV tables of a trace: every event of every execution, the first execution, operators.

A timeline table can have hundreds of thousands of rows, so its columns are made whole
(`csv_text`); the others are small.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass, fields

import numpy as np
from numpy.typing import NDArray

from model_profiling.analysis import csv_text
from model_profiling.analysis.csv_text import cell
from model_profiling.analysis.etdump import Ints
from model_profiling.analysis.timeline import CATEGORY_NAMES, Timeline

TIMELINE_COLUMNS = ("model_id", "experiment", "threads", "pair", "run_index", "event_index", "name", "category",
                    "delegated", "backend", "start_us", "duration_us", "parent", "layer", "pct_of_run")
_BYTES_AT_ONCE = 4 << 20  # bounds the memory that rows under construction take
_NUMBERS_WIDTH = 120  # bytes of a row beside its texts, at most
_NS_PER_US, _NS_PER_MS = 1e3, 1e6
_US_PLACES, _PERCENT_PLACES = 3, 4


@dataclass(frozen=True)
class Identity:
    """What the first columns of every row say; empty where a trace stands alone."""

    model_id: str
    experiment: str = ""
    threads: int | str = ""


@dataclass(frozen=True, eq=False)
class Recording:
    """The timeline of one launch's trace and the pair it belongs to ("" where it stands alone).

    `layer` holds each row's position in `layer_names`, -1 where no layer is known; None
    where the model's layers are not known at all.
    """

    timeline: Timeline
    pair: int | str = ""
    layer: Ints | None = None
    layer_names: tuple[str, ...] = ()


@dataclass(frozen=True)
class OperatorStats:
    """One operator over all executions, times as the columns' names say.

    Percentiles are of single calls. `total_ms_per_run` is the operator's mean share of an
    execution times the median execution, so that operators, categories and framework
    overhead add up to that median; `pct_of_run` is the share in percent.
    """

    name: str
    category: str
    delegated: int
    calls_per_run: float
    median_us: float
    p10_us: float
    p90_us: float
    total_ms_per_run: float
    pct_of_run: float


OPERATOR_COLUMNS = ("model_id", "experiment", "threads", *(field.name for field in fields(OperatorStats)))


def timeline_csv(identity: Identity, recordings: Sequence[Recording]) -> bytes:
    """Return the table of every event of every execution, as UTF-8 CSV."""
    parts = (part for recording in recordings for part in _timeline_rows(identity, recording, len(recording.timeline)))
    return b"".join((_header(TIMELINE_COLUMNS), *parts))


def first_run_csv(identity: Identity, recordings: Sequence[Recording]) -> bytes:
    """Return the same table for the first execution after warm-up of the first recording."""
    first = recordings[0]
    rows = int(np.searchsorted(first.timeline.run, 1))
    return b"".join((_header(TIMELINE_COLUMNS), *_timeline_rows(identity, first, rows)))


def operators_csv(identity: Identity, operators: Sequence[OperatorStats]) -> bytes:
    """Return the operator table, as UTF-8 CSV."""
    start = ",".join(map(cell, astuple(identity)))
    lines = (",".join([start, *(cell(short(value)) for value in astuple(row))]) + "\n" for row in operators)
    return _header(OPERATOR_COLUMNS) + "".join(lines).encode("utf-8")


def _header(columns: Sequence[str]) -> bytes:
    return (",".join(columns) + "\n").encode("utf-8")


def short(value: object) -> object:
    """Return a cell's value: numbers with six digits, nothing for None."""
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else value


def _timeline_rows(identity: Identity, recording: Recording, count: int) -> Iterator[bytes]:
    """Yield the first `count` rows of a recording as CSV, so many at once as memory allows."""
    start = ",".join(map(cell, (*astuple(identity), recording.pair)))
    longest = sum(max((len(cell(name).encode("utf-8")) for name in names), default=0)
                  for names in (recording.timeline.names, recording.layer_names))
    step = max(1, _BYTES_AT_ONCE // (len(start) * 4 + longest + _NUMBERS_WIDTH))
    for first in range(0, count, step):
        yield _render(recording, slice(first, min(first + step, count)), start)


def _render(recording: Recording, rows: slice, start: str) -> bytes:
    t = recording.timeline
    run, duration = t.run[rows], t.duration_ns[rows]
    percent = 100 * duration / np.maximum(t.method_ns, 1)[run] * 10**_PERCENT_PLACES
    count = len(run)
    return csv_text.join([
        csv_text.texts([start], np.zeros(count, np.int64)), csv_text.integers(run), csv_text.integers(t.event[rows]),
        _kinds(t, rows), csv_text.decimals(t.start_ns[rows], _US_PLACES), csv_text.decimals(duration, _US_PLACES),
        csv_text.integers(t.parent[rows], empty_below=0), _layers(recording, rows, count),
        csv_text.decimals(np.rint(np.minimum(percent, csv_text.LARGEST)).astype(np.int64), _PERCENT_PLACES),
    ], count)


def _layers(recording: Recording, rows: slice, count: int) -> NDArray[np.uint8]:
    if recording.layer is None:
        return np.zeros((count, 0), np.uint8)
    names = ["", *map(cell, recording.layer_names)]
    return csv_text.texts(names, recording.layer[rows] + 1)


def _kinds(t: Timeline, rows: slice) -> NDArray[np.uint8]:
    """Return "name,category,delegated,backend" of each row, made once for each distinct one."""
    shape = (len(t.names), len(CATEGORY_NAMES), 2, len(t.backends))
    code = np.ravel_multi_index(
        (t.name[rows], t.category[rows], t.delegated[rows].astype(np.int64), t.backend[rows]), shape)
    distinct, inverse = np.unique(code, return_inverse=True)
    parts = zip(*np.unravel_index(distinct, shape))
    return csv_text.texts([f"{cell(t.names[n])},{CATEGORY_NAMES[c]},{d},{cell(t.backends[b])}" for n, c, d, b in parts],
                          inverse.reshape(-1))


def operator_stats(recordings: Sequence[Recording]) -> list[OperatorStats]:
    """Return every operator over the executions of all recordings, the most expensive first."""
    keys: dict[tuple[str, str, int], int] = {}
    codes, durations, shares = [], [], []
    for recording in recordings:
        t = recording.timeline
        code, duration = _operator_codes(t, keys), t.duration_ns[t.leaf].astype(float)
        codes.append(code)
        durations.append(duration)
        shares.append(duration / np.maximum(t.method_ns, 1)[t.run[t.leaf]])
    method = np.concatenate([r.timeline.method_ns for r in recordings])
    return _summarize(list(keys), np.concatenate(codes), np.concatenate(durations), np.concatenate(shares),
                      len(method), float(np.median(method)) / _NS_PER_MS)


def _operator_codes(t: Timeline, keys: dict[tuple[str, str, int], int]) -> NDArray[np.int64]:
    shape = (len(t.names), len(CATEGORY_NAMES), 2)
    code = np.ravel_multi_index((t.name[t.leaf], t.category[t.leaf], t.delegated[t.leaf].astype(np.int64)), shape)
    distinct, inverse = np.unique(code, return_inverse=True)
    numbers = [keys.setdefault((t.names[n], CATEGORY_NAMES[c], int(d)), len(keys))
               for n, c, d in zip(*np.unravel_index(distinct, shape))]
    return np.array(numbers, np.int64)[inverse.reshape(-1)]


def _summarize(keys: Sequence[tuple[str, str, int]], codes: NDArray[np.int64], durations: NDArray[np.float64],
               shares: NDArray[np.float64], runs: int, median_ms: float) -> list[OperatorStats]:
    order = np.argsort(codes, kind="stable")
    ends = np.cumsum(np.bincount(codes, minlength=len(keys)))
    groups = np.split(durations[order], ends[:-1]) if len(keys) else []
    share = np.bincount(codes, shares, len(keys)) / runs
    found = []
    for (name, category, delegated), calls, part in zip(keys, groups, share.tolist()):
        p10, median, p90 = (np.percentile(calls, (10, 50, 90)) / _NS_PER_US).tolist()
        found.append(OperatorStats(name, category, delegated, len(calls) / runs, median, p10, p90,
                                   part * median_ms, 100 * part))
    return sorted(found, key=lambda row: (-row.total_ms_per_run, row.name))

