# SPDX-License-Identifier: Apache-2.0
"""The tables that analyze_etdump_csv.py writes: bottlenecks, placement and categories, one or two sides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from model_profiling.analysis.comparing.operators import OperatorChange, operator_time
from model_profiling.analysis.comparing.trace_comparison import SideTimes, category_rows, changes, operator_count
from model_profiling.analysis.comparing.trace_layers import layer_changes
from model_profiling.analysis.tables.csv_text import cell
from model_profiling.analysis.traces.operators import kind
from model_profiling.report.words.summary import milliseconds, percent
from model_profiling.report.words.table import Table

_DIGITS = 6  # significant digits in the CSV files


@dataclass(frozen=True)
class Result:
    """One table in both forms: `rows` hold numbers, `shown` the same rounded for reading."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]
    shown: Table

    def csv(self) -> str:
        """Return the table as CSV text."""
        lines = [self.columns, *(tuple(map(_plain, row)) for row in self.rows)]
        return "".join(",".join(map(cell, line)) + "\n" for line in lines)


def _plain(value: object) -> object:
    if value is None:
        return ""
    return f"{value:.{_DIGITS}g}" if isinstance(value, float) else value


def bottlenecks(pairs: Sequence[tuple[SideTimes, SideTimes | None]]) -> Result:
    """Return the operators, the most expensive first.

    One side alone lists each operator as recorded. Two sides are compared by kind of operator:
    the ordinals in recorded names do not identify the same operator on both (`operators.kind`).
    """
    rows, shown = [], []
    for first, second in pairs:
        total = first.median_ms
        for rank, change in enumerate(changes(first, second) if second else _alone(first), 1):
            times = [side.ms if side else None for side in (change.baseline, change.candidate)]
            calls = next(side.calls for side in (change.baseline, change.candidate) if side)
            share = 100 * times[0] / total if times[0] is not None else None
            rows.append(
                (
                    first.side.threads,
                    rank,
                    change.name,
                    change.category,
                    int(change.delegated),
                    calls,
                    times[0],
                    share,
                    times[1],
                    change.speedup,
                )
            )
            shown.append(
                (
                    first.side.threads,
                    change.name,
                    change.category,
                    f"{calls:g}",
                    milliseconds(times[0], total / 1000),
                    percent(share),
                    milliseconds(times[1], total / 1000),
                    _ratio(change.speedup),
                )
            )
    names = _names(pairs)
    columns = (
        "threads",
        "rank",
        "operator",
        "category",
        "delegated",
        "calls",
        f"{names[0]} ms",
        f"{names[0]} percent",
        f"{names[1]} ms",
        "speedup",
    )
    titles = ("threads", "operator", "category", "calls", f"{names[0]} (ms)", "share", f"{names[1]} (ms)", "speed-up")
    return _result(
        "operator_bottlenecks",
        "Operator bottlenecks",
        columns,
        rows,
        titles,
        shown,
        ("threads", "operator", "category"),
        len(names[1]) > 0,
    )


def _alone(side: SideTimes) -> list[OperatorChange]:
    times = list(map(operator_time, side.operators))
    return [OperatorChange(t.name, kind(t.name), t.category, t.delegated, t, None, None, False) for t in times]


def placement(pairs: Sequence[tuple[SideTimes, SideTimes | None]]) -> Result:
    """Return the time inside delegates, in portable kernels and in neither, for each side."""
    rows, shown = [], []
    for side in (side for pair in pairs for side in pair if side):
        times, total = side.placement_ms(), side.median_ms
        counts = {"delegated": operator_count(side.operators, True), "portable": operator_count(side.operators, False)}
        for name, value in times.items():
            rows.append((side.side.label, side.side.threads, name, counts.get(name), value, 100 * value / total))
            shown.append(
                (
                    side.side.label,
                    side.side.threads,
                    name,
                    str(counts.get(name, "-")),
                    milliseconds(value, total / 1000),
                    percent(100 * value / total),
                )
            )
    columns = ("experiment", "threads", "placement", "operators", "ms", "percent")
    titles = ("experiment", "threads", "placement", "operators", "ms", "share")
    return _result(
        "portable_vs_delegated",
        "Portable and delegated time",
        columns,
        rows,
        titles,
        shown,
        ("experiment", "threads", "placement"),
        True,
    )


def categories(pairs: Sequence[tuple[SideTimes, SideTimes | None]]) -> Result:
    """Return each category's time and share on both sides; they sum to the median execution."""
    rows, shown = [], []
    for first, second in pairs:
        totals = first.median_ms, second.median_ms if second else None
        for name, before, after in category_rows(first, second):
            shares = [100 * ms / total if ms is not None else None for ms, total in zip((before, after), totals)]
            ratio = before / after if after is not None and before > 0 and after > 0 else None
            rows.append((first.side.threads, name, before, shares[0], after, shares[1], ratio))
            shown.append(
                (
                    first.side.threads,
                    name,
                    milliseconds(before, totals[0] / 1000),
                    percent(shares[0]),
                    milliseconds(after, totals[0] / 1000),
                    percent(shares[1]),
                    _ratio(ratio),
                )
            )
    names = _names(pairs)
    columns = (
        "threads",
        "category",
        f"{names[0]} ms",
        f"{names[0]} percent",
        f"{names[1]} ms",
        f"{names[1]} percent",
        "speedup",
    )
    titles = (
        "threads",
        "category",
        f"{names[0]} (ms)",
        f"{names[0]} share",
        f"{names[1]} (ms)",
        f"{names[1]} share",
        "speed-up",
    )
    return _result(
        "category_comparison", "Categories", columns, rows, titles, shown, ("threads", "category"), len(names[1]) > 0
    )


def layers(pairs: Sequence[tuple[SideTimes, SideTimes | None]]) -> Result | None:
    """Return the layers of two sides, the most expensive first; None with one side, or where a side knows no layers.

    A layer's time holds its packing, and its operators may have other names on the two sides.
    """
    rows, shown = [], []
    for first, second in pairs:
        for change in layer_changes(first.side.recordings, second.side.recordings) if second else ():
            sides = change.baseline, change.candidate
            times, names = [s.ms if s else None for s in sides], [s.operators if s else None for s in sides]
            ran = " / ".join(dict.fromkeys(name for name in names if name))
            rows.append((first.side.threads, change.layer, *names, *times, change.speedup))
            shown.append(
                (
                    first.side.threads,
                    change.layer,
                    ran,
                    *(milliseconds(time, first.median_ms / 1000) for time in times),
                    _ratio(change.speedup),
                )
            )
    if not rows:
        return None
    one, two = _names(pairs)
    return _result(
        "layer_comparison",
        "Layers",
        ("threads", "layer", f"{one} operators", f"{two} operators", f"{one} ms", f"{two} ms", "speedup"),
        rows,
        ("threads", "layer", "ran as", f"{one} (ms)", f"{two} (ms)", "speed-up"),
        shown,
        ("threads", "layer", "ran as"),
        True,
    )


def _result(
    name: str,
    title: str,
    columns: Sequence[str],
    rows: Sequence[tuple],
    titles: Sequence[str],
    shown: Sequence[tuple[str, ...]],
    words: Sequence[str],
    compared: bool,
) -> Result:
    """Build a result; with one side alone, the columns of the other and the ratio go."""
    if not compared:
        kept = [i for i, column in enumerate(columns) if not column.startswith(" ") and column != "speedup"]
        kept_titles = [i for i, column in enumerate(titles) if not column.startswith(" ") and column != "speed-up"]
        columns, rows = [columns[i] for i in kept], [tuple(row[i] for i in kept) for row in rows]
        titles, shown = [titles[i] for i in kept_titles], [tuple(row[i] for i in kept_titles) for row in shown]
    if all(row[titles.index("threads")] == "" for row in shown):  # traces that stand alone do not tell
        gone = titles.index("threads")
        titles, shown = _without(titles, gone), [_without(row, gone) for row in shown]
    table = Table(title, tuple(titles), tuple(shown), frozenset(titles) - set(words))
    return Result(name, tuple(columns), tuple(rows), table)


def _without(values: Sequence[str], position: int) -> tuple[str, ...]:
    return (*values[:position], *values[position + 1 :])


def _names(pairs: Sequence[tuple[SideTimes, SideTimes | None]]) -> tuple[str, str]:
    first, second = pairs[0]
    return first.side.label, second.side.label if second else ""


def _ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}x"
