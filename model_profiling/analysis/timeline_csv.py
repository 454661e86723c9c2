# SPDX-License-Identifier: Apache-2.0
"""Reads timeline tables back, for the tools that work on one file at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from model_profiling.analysis.csv_rows import read_rows
from model_profiling.analysis.operators import METHOD
from model_profiling.analysis.tables import TIMELINE_COLUMNS, Recording
from model_profiling.analysis.timeline import BACKEND_NAMES, CATEGORY_NAMES, Timeline
from model_profiling.errors import UserError

_OPTIONAL = frozenset(("layer",))
_FIX = "name an *_all_runs_timeline.csv that analyze_results.py or etdump_to_csv.py wrote"
_NS_PER_US = 1000
_LONGEST_US = 1e12  # 11 days: beyond any execution, and far from the limits of 64-bit ns


@dataclass(frozen=True, eq=False)
class Side:
    """One side of a comparison at one thread count: its executions, in launches where known.

    `threads` is "" where a trace stood alone, and so is a recording's pair.
    """

    label: str
    threads: str
    recordings: tuple[Recording, ...]

    @property
    def latencies_ms(self) -> np.ndarray:
        """Duration of every execution in ms, as Method::execute took it."""
        return np.concatenate([r.timeline.method_ns for r in self.recordings]) / 1e6


def read_sides(paths: Sequence[Path], label: str | None, fallback: str) -> dict[str, Side]:
    """Return what the tables at `paths` hold by thread count; they must be of one model and experiment.

    Parameters
    ----------
    label : name for this side; the tables' experiment, else `fallback`, where it is None.

    Raises
    ------
    UserError : a file is missing or is no timeline table, or the files do not belong together.
    """
    recordings: dict[str, list[Recording]] = {}
    sources = set()
    for path in paths:
        for (model, experiment, threads, pair), rows in _launches(path).items():
            sources.add((model, experiment))
            recordings.setdefault(threads, []).append(Recording(_timeline(rows, path), pair, *_layers(rows)))
    if len(sources) > 1:
        names = ", ".join(sorted({" ".join(filter(None, source)) for source in sources}))
        raise UserError(f"the tables are of different models or experiments ({names})", f"in {paths[0].parent}",
                        "give the tables of one experiment to each side")
    name = label or next(iter(sources))[1] or fallback
    return {threads: Side(name, threads, tuple(found)) for threads, found in sorted(recordings.items())}


def _launches(path: Path) -> dict[tuple[str, str, str, str], list[dict[str, str]]]:
    groups: dict[tuple[str, str, str, str], list[dict[str, str]]] = {}
    for row in read_rows(path, TIMELINE_COLUMNS, _FIX, _OPTIONAL):
        groups.setdefault((row["model_id"], row["experiment"], row["threads"], row["pair"]), []).append(row)
    if not groups:
        raise UserError("the table has no rows", f"at {path}", _FIX)
    return groups


def _timeline(rows: Sequence[dict[str, str]], path: Path) -> Timeline:
    """Rebuild one launch's timeline; its executions are the distinct run indices, in order."""
    names = tuple(dict.fromkeys(row["name"] for row in rows))
    backends = tuple(dict.fromkeys((*BACKEND_NAMES, *(row["backend"] for row in rows))))
    codes = [{text: code for code, text in enumerate(choices)} for choices in (names, backends, CATEGORY_NAMES)]
    try:
        _, run = np.unique([int(row["run_index"]) for row in rows], return_inverse=True)
        category = np.array([codes[2][row["category"]] for row in rows], np.int64)
        timeline = Timeline(
            names=names, run=run.reshape(-1), event=np.array([int(row["event_index"]) for row in rows], np.int64),
            name=np.array([codes[0][row["name"]] for row in rows], np.int64), category=category,
            delegated=np.array([{"0": False, "1": True}[row["delegated"]] for row in rows]),
            backend=np.array([codes[1][row["backend"]] for row in rows], np.int64),
            start_ns=_times(rows, "start_us", -_LONGEST_US), duration_ns=_times(rows, "duration_us", 0.0),
            parent=np.array([int(row["parent"] or -1) for row in rows], np.int64),
            instruction=np.zeros(len(rows), np.int64), backends=backends,
            method_row=np.flatnonzero([row["name"] == METHOD for row in rows]),
        )
    except (ValueError, KeyError, OverflowError) as error:
        raise UserError(f"the table holds a value that does not belong there ({error})", f"at {path}", _FIX) from error
    counts = np.bincount(timeline.run[timeline.method_row], minlength=int(timeline.run.max()) + 1)
    if (counts != 1).any() or (timeline.method_ns <= 0).any():
        raise UserError(f"an execution has not exactly one {METHOD} row with a duration", f"at {path}", _FIX)
    return timeline


def _layers(rows: Sequence[dict[str, str]]) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """Return each row's layer as a position in the names, -1 for none; None where the table names no layer."""
    names = tuple(dict.fromkeys(row["layer"] for row in rows if row.get("layer")))
    if not names:
        return None, ()
    code = {name: number for number, name in enumerate(names)}
    return np.array([code.get(row["layer"], -1) for row in rows], np.int64), names


def _times(rows: Sequence[dict[str, str]], column: str, least: float) -> np.ndarray:
    values = [float(row[column]) for row in rows]
    for value in values:
        if not (math.isfinite(value) and least <= value <= _LONGEST_US):
            raise ValueError(f"{column} {value:g}")
    return np.rint(np.array(values) * _NS_PER_US).astype(np.int64)
