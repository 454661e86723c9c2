# SPDX-License-Identifier: Apache-2.0
"""The tables that analyze_etdump_csv.py writes: bottlenecks, placement and categories, one or two sides."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from model_profiling.analysis.comparing.operators import OperatorChange, operator_time
from model_profiling.analysis.comparing.trace_comparison import SideTimes, category_rows, changes, operator_count
from model_profiling.analysis.comparing.trace_layers import LayerChange, layer_changes
from model_profiling.analysis.tables.csv_text import cell
from model_profiling.analysis.traces.operators import kind
from model_profiling.report.words.digits import milliseconds, percent, ratio
from model_profiling.report.words.table import Table

#: A side, and the one compared with it where there is one.
SidePair = tuple[SideTimes, "SideTimes | None"]
Value = str | int | float | None
_DIGITS = 6  # significant digits in the CSV files
Row = TypeVar("Row")


@dataclass(frozen=True)
class Result:
    """One table in both forms: `rows` hold numbers, `shown` the same rounded for reading."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Value, ...], ...]
    shown: Table

    def csv(self) -> str:
        """Return the table as CSV text."""
        lines = [self.columns, *(tuple(map(_plain, row)) for row in self.rows)]
        return "".join(",".join(map(cell, line)) + "\n" for line in lines)


def _plain(value: Value) -> str | int:
    if value is None:
        return ""
    return f"{value:.{_DIGITS}g}" if isinstance(value, float) else value


@dataclass(frozen=True)
class Column(Generic[Row]):
    """A column: its name in the CSV and its title for readers (None: it is not there), and each row's value and text.

    `text` None shows the value as it is; `word` columns stand to the left. One that is `compared`
    exists only beside a second side.
    """

    name: str | None
    title: str | None
    value: Callable[[Row], Value]
    text: Callable[[Row], str] | None = None
    word: bool = False
    compared: bool = False

    def shown(self, row: Row) -> str:
        return str(self.value(row)) if self.text is None else self.text(row)


def _result(name: str, title: str, columns: Iterable[Column[Row]], rows: Sequence[Row], compared: bool) -> Result:
    there = [column for column in columns if compared or not column.compared]
    written = [column for column in there if column.name is not None]
    shown = [
        column
        for column in there
        if column.title is not None
        # Traces that stand alone do not tell their threads.
        and (column.title != "threads" or any(column.value(row) != "" for row in rows))
    ]
    table = Table(
        title,
        tuple(column.title or "" for column in shown),
        tuple(tuple(column.shown(row) for column in shown) for row in rows),
        frozenset(column.title or "" for column in shown if not column.word),
    )
    values = tuple(tuple(column.value(row) for column in written) for row in rows)
    return Result(name, tuple(column.name or "" for column in written), values, table)


@dataclass(frozen=True)
class _Operator:
    """An operator of the table of bottlenecks."""

    first: SideTimes
    rank: int
    change: OperatorChange

    @property
    def before(self) -> float | None:
        return self.change.baseline.ms if self.change.baseline else None

    @property
    def after(self) -> float | None:
        return self.change.candidate.ms if self.change.candidate else None

    @property
    def calls(self) -> float:
        return next(side.calls for side in (self.change.baseline, self.change.candidate) if side)

    @property
    def share(self) -> float | None:
        return None if self.before is None else 100 * self.before / self.first.median_ms


def bottlenecks(pairs: Sequence[SidePair]) -> Result:
    """Return the operators, the most expensive first.

    One side alone lists each operator as recorded. Two sides are compared by kind of operator:
    the ordinals in recorded names do not identify the same operator on both (`operators.kind`).
    """
    one, two = _names(pairs)
    rows = [
        _Operator(first, rank, change)
        for first, second in pairs
        for rank, change in enumerate(changes(first, second) if second else _alone(first), 1)
    ]
    columns: list[Column[_Operator]] = [
        Column("threads", "threads", lambda row: row.first.side.threads, word=True),
        Column("rank", None, lambda row: row.rank),
        Column("operator", "operator", lambda row: row.change.name, word=True),
        Column("category", "category", lambda row: row.change.category, word=True),
        Column("delegated", None, lambda row: int(row.change.delegated)),
        Column("calls", "calls", lambda row: row.calls, lambda row: f"{row.calls:g}"),
        Column(f"{one} ms", f"{one} (ms)", lambda row: row.before, lambda row: _part(row.before, row.first.median_ms)),
        Column(f"{one} percent", "share", lambda row: row.share, lambda row: percent(row.share)),
        Column(
            f"{two} ms",
            f"{two} (ms)",
            lambda row: row.after,
            lambda row: _part(row.after, row.first.median_ms),
            compared=True,
        ),
        Column(
            "speedup", "speed-up", lambda row: row.change.speedup, lambda row: ratio(row.change.speedup), compared=True
        ),
    ]
    return _result("operator_bottlenecks", "Operator bottlenecks", columns, rows, _compared(pairs))


def _alone(side: SideTimes) -> list[OperatorChange]:
    times = list(map(operator_time, side.operators))
    return [OperatorChange(t.name, kind(t.name), t.category, t.delegated, t, None, None, False) for t in times]


@dataclass(frozen=True)
class _Placement:
    """The time of one side inside delegates, in portable kernels or in neither."""

    side: SideTimes
    name: str
    ms: float

    @property
    def operators(self) -> int | None:
        return operator_count(self.side.operators, self.name == "delegated") if self.name != "framework" else None

    @property
    def share(self) -> float:
        return 100 * self.ms / self.side.median_ms


def placement(pairs: Sequence[SidePair]) -> Result:
    """Return the time inside delegates, in portable kernels and in neither, for each side."""
    sides = [side for pair in pairs for side in pair if side]
    rows = [_Placement(side, name, ms) for side in sides for name, ms in side.placement_ms().items()]
    columns: list[Column[_Placement]] = [
        Column("experiment", "experiment", lambda row: row.side.side.label, word=True),
        Column("threads", "threads", lambda row: row.side.side.threads, word=True),
        Column("placement", "placement", lambda row: row.name, word=True),
        Column(
            "operators",
            "operators",
            lambda row: row.operators,
            lambda row: "-" if row.operators is None else str(row.operators),
        ),
        Column("ms", "ms", lambda row: row.ms, lambda row: _part(row.ms, row.side.median_ms)),
        Column("percent", "share", lambda row: row.share, lambda row: percent(row.share)),
    ]
    return _result("portable_vs_delegated", "Portable and delegated time", columns, rows, True)


@dataclass(frozen=True)
class _Category:
    """A category's time on both sides, and its share in percent."""

    first: SideTimes
    second: SideTimes | None
    name: str
    before: float
    after: float | None

    @property
    def shares(self) -> tuple[float, float | None]:
        known = self.after is not None and self.second is not None
        return 100 * self.before / self.first.median_ms, 100 * self.after / self.second.median_ms if known else None

    @property
    def speedup(self) -> float | None:
        return self.before / self.after if self.after is not None and self.before > 0 and self.after > 0 else None


def categories(pairs: Sequence[SidePair]) -> Result:
    """Return each category's time and share on both sides; they sum to the median execution."""
    one, two = _names(pairs)
    rows = [_Category(first, second, *row) for first, second in pairs for row in category_rows(first, second)]
    columns: list[Column[_Category]] = [
        Column("threads", "threads", lambda row: row.first.side.threads, word=True),
        Column("category", "category", lambda row: row.name, word=True),
        Column(f"{one} ms", f"{one} (ms)", lambda row: row.before, lambda row: _part(row.before, row.first.median_ms)),
        Column(f"{one} percent", f"{one} share", lambda row: row.shares[0], lambda row: percent(row.shares[0])),
        Column(
            f"{two} ms",
            f"{two} (ms)",
            lambda row: row.after,
            lambda row: _part(row.after, row.first.median_ms),
            compared=True,
        ),
        Column(
            f"{two} percent",
            f"{two} share",
            lambda row: row.shares[1],
            lambda row: percent(row.shares[1]),
            compared=True,
        ),
        Column("speedup", "speed-up", lambda row: row.speedup, lambda row: ratio(row.speedup), compared=True),
    ]
    return _result("category_comparison", "Categories", columns, rows, _compared(pairs))


@dataclass(frozen=True)
class _Layer:
    """A layer on both sides."""

    first: SideTimes
    change: LayerChange

    @property
    def times(self) -> tuple[float | None, ...]:
        return tuple(side.ms if side else None for side in (self.change.baseline, self.change.candidate))

    @property
    def operators(self) -> tuple[str | None, ...]:
        return tuple(side.operators if side else None for side in (self.change.baseline, self.change.candidate))


def layers(pairs: Sequence[SidePair]) -> Result | None:
    """Return the layers of two sides, the most expensive first; None with one side, or where a side knows no layers.

    A layer's time holds its packing, and its operators may have other names on the two sides.
    """
    rows = [
        _Layer(first, change)
        for first, second in pairs
        for change in (layer_changes(first.side.recordings, second.side.recordings) if second else ())
    ]
    if not rows:
        return None
    one, two = _names(pairs)
    columns: list[Column[_Layer]] = [
        Column("threads", "threads", lambda row: row.first.side.threads, word=True),
        Column("layer", "layer", lambda row: row.change.layer, word=True),
        Column(f"{one} operators", None, lambda row: row.operators[0]),
        Column(f"{two} operators", None, lambda row: row.operators[1]),
        Column(None, "ran as", lambda row: " / ".join(dict.fromkeys(filter(None, row.operators))), word=True),
        Column(
            f"{one} ms", f"{one} (ms)", lambda row: row.times[0], lambda row: _part(row.times[0], row.first.median_ms)
        ),
        Column(
            f"{two} ms", f"{two} (ms)", lambda row: row.times[1], lambda row: _part(row.times[1], row.first.median_ms)
        ),
        Column("speedup", "speed-up", lambda row: row.change.speedup, lambda row: ratio(row.change.speedup)),
    ]
    return _result("layer_comparison", "Layers", columns, rows, True)


def _part(ms: float | None, whole: float) -> str:
    """Return a part of an execution, resolved to a thousandth of the whole."""
    return milliseconds(ms, whole / 1000)


def _names(pairs: Sequence[SidePair]) -> tuple[str, str]:
    first, second = pairs[0]
    return first.side.label, second.side.label if second else ""


def _compared(pairs: Sequence[SidePair]) -> bool:
    return pairs[0][1] is not None and len(_names(pairs)[1]) > 0
