# SPDX-License-Identifier: Apache-2.0
"""The columns of the report's table of operators: HTML and Markdown follow this one list."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from model_profiling.report.quantities import Quantity, quantity
from model_profiling.report.view import ComparedOperator
from model_profiling.rounding import places_for

#: How a column's cells look, and what HTML sorts them by.
Form = Literal["name", "text", "wrapped", "calls", "number", "ratio", "verdict"]


@dataclass(frozen=True)
class OperatorColumn:
    """A column: its heading, where "{0}" and "{1}" stand for the two sides, and what it shows of a row.

    A "ratio" shows the row's speed-up and its interval.
    """

    heading: str
    value: Callable[[ComparedOperator], str | Quantity | None]
    form: Form

    def titled(self, baseline: str, candidate: str) -> str:
        return self.heading.format(baseline, candidate)

    @property
    def numeric(self) -> bool:
        return self.form in ("calls", "number", "ratio")


def largest(heading: str, unit: str, column: str) -> tuple[OperatorColumn, OperatorColumn]:
    """Return a column for each side with the largest value of `column` in its `*_ops_stats.csv`.

    Operators of one kind are several rows of that table and one of the report's. `column` is a
    field of `OperatorStats`; digits follow the calls' range from the 10th to the 90th percentile.
    """

    def of_side(side: int) -> OperatorColumn:
        return OperatorColumn(f"{heading}, {{{side}}} ({unit})", lambda row: _largest(row, side, column), "number")

    return of_side(0), of_side(1)


def _largest(row: ComparedOperator, side: int, column: str) -> Quantity | None:
    if not row.rows[side]:
        return None
    most = max(row.rows[side], key=lambda traced: float(getattr(traced.stats, column)))
    value, spread = float(getattr(most.stats, column)), (most.stats.p90_us - most.stats.p10_us) / 2
    return quantity(value, f"{most.path}/{column}", places_for(spread, value))


COLUMNS = (
    OperatorColumn("Operator", lambda row: row.name, "name"),
    OperatorColumn("Category", lambda row: row.category, "wrapped"),
    OperatorColumn("Runs in", lambda row: row.where, "text"),
    OperatorColumn("Calls", lambda row: row.calls, "calls"),
    OperatorColumn("{0} (ms)", lambda row: row.baseline, "number"),
    OperatorColumn("{1} (ms)", lambda row: row.candidate, "number"),
    OperatorColumn("Speed-up", lambda row: row.speedup, "ratio"),
    OperatorColumn("Verdict", lambda row: row.verdict, "verdict"),
)
