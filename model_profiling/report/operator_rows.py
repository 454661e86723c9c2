# SPDX-License-Identifier: Apache-2.0
"""The operators of a comparison, before and after."""

from __future__ import annotations

import re
from collections.abc import Sequence

from model_profiling.analysis.comparing.comparison import BASELINE, CANDIDATE, OperatorComparison, OperatorCost
from model_profiling.analysis.tables.operators import OperatorRow
from model_profiling.analysis.traces.operators import NATIVE_PREFIX, kind
from model_profiling.paired_statistics import NO_VERDICT
from model_profiling.report.load import RunData, RunTable
from model_profiling.report.quantities import Quantity, pointer, quantity, ratio_or_none
from model_profiling.report.view import ComparedOperator, TracedOperator
from model_profiling.rounding import places_for

#: Said of what one of two programs alone has.
NO_PARTNER = "no partner"


def operator_rows(run: RunData, index: int) -> tuple[ComparedOperator, ...]:
    """Return the operators of comparison `index`, the most expensive first."""
    compared = run.summary.comparisons[index]
    sides = tuple(OperatorsOfSide(run, name, compared.threads) for name in (compared.baseline, compared.candidate))
    two_programs = compared.models is not None
    return tuple(
        _row(run.in_summary("comparisons", index, "operators", number), operator, sides[0], sides[1], two_programs)
        for number, operator in enumerate(compared.operators)
    )


class OperatorsOfSide:
    """The table of operators of one side of a comparison, by kind; empty where the side has none."""

    def __init__(self, run: RunData, experiment: str, threads: int) -> None:
        table = run.operators.get((experiment, threads), RunTable[OperatorRow]("", ()))
        self._of_kind: dict[tuple[str, bool], list[TracedOperator]] = {}
        for number, row in enumerate(table.rows):
            key = kind(row.operator.name), bool(row.operator.delegated)
            traced = TracedOperator(row.operator, f"{table.file}#{pointer(number)}")
            self._of_kind.setdefault(key, []).append(traced)

    def rows(self, operator: OperatorComparison) -> Sequence[TracedOperator]:
        # Its name joins those of both sides; all of them are of one kind.
        name = re.split(r" [/+] ", operator.name, maxsplit=1)[0]
        return self._of_kind.get((kind(name), operator.delegated), ())


def _row(
    path: str, operator: OperatorComparison, before: OperatorsOfSide, after: OperatorsOfSide, two_programs: bool
) -> ComparedOperator:
    alone = two_programs and (operator.baseline is None or operator.candidate is None)
    calls = dict.fromkeys(f"{side.calls:g}" for side in (operator.baseline, operator.candidate) if side)
    speedup, low, high = ratio_or_none(operator.speedup, operator.interval, path)
    return ComparedOperator(
        # "portable" says already what ExecuTorch's prefix would.
        name=operator.name if operator.delegated else operator.name.replace(NATIVE_PREFIX, ""),
        category=operator.category,
        where="XNNPACK" if operator.delegated else "portable",
        calls=" / ".join(calls),
        baseline=_time(path, BASELINE, operator.baseline),
        candidate=_time(path, CANDIDATE, operator.candidate),
        speedup=speedup,
        low=low,
        high=high,
        verdict=NO_PARTNER if alone else shown_verdict(operator.verdict),
        rows=(before.rows(operator), after.rows(operator)),
    )


def _time(path: str, side: str, cost: OperatorCost | None) -> Quantity | None:
    if cost is None:
        return None
    return quantity(cost.ms, f"{path}/{side}_ms", places_for(cost.relative_spread * cost.ms, cost.ms))


def shown_verdict(verdict: str) -> str:
    """Return a part's verdict, "" where there is none."""
    return "" if verdict == NO_VERDICT else verdict
