# SPDX-License-Identifier: Apache-2.0
"""The operators of a comparison, before and after."""

from __future__ import annotations

from model_profiling.analysis.comparing.comparison import BASELINE, CANDIDATE, OperatorComparison, OperatorCost
from model_profiling.analysis.traces.operators import NATIVE_PREFIX
from model_profiling.paired_statistics import NO_VERDICT
from model_profiling.report.load import RunData
from model_profiling.report.quantities import Quantity, quantity, ratio_or_none
from model_profiling.report.view import OperatorRow
from model_profiling.rounding import places_for


def operator_rows(run: RunData, index: int) -> tuple[OperatorRow, ...]:
    """Return the operators of comparison `index`, the most expensive first."""
    return tuple(
        _row(run.in_summary("comparisons", index, "operators", number), operator)
        for number, operator in enumerate(run.summary.comparisons[index].operators)
    )


def _row(path: str, operator: OperatorComparison) -> OperatorRow:
    calls = dict.fromkeys(f"{side.calls:g}" for side in (operator.baseline, operator.candidate) if side)
    speedup, low, high = ratio_or_none(operator.speedup, operator.interval, path)
    return OperatorRow(
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
        verdict=shown_verdict(operator.verdict),
    )


def _time(path: str, side: str, cost: OperatorCost | None) -> Quantity | None:
    if cost is None:
        return None
    return quantity(cost.ms, f"{path}/{side}_ms", places_for(cost.relative_spread * cost.ms, cost.ms))


def shown_verdict(verdict: str) -> str:
    """Return a part's verdict, "" where there is none."""
    return "" if verdict == NO_VERDICT else verdict
