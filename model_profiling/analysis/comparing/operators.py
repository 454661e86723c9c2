# SPDX-License-Identifier: Apache-2.0
"""The operators of two sides beside each other, matched by kind. Pure; nothing is estimated from pairs."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from model_profiling.analysis.traces.operator_stats import OperatorStats
from model_profiling.analysis.traces.operators import kind

#: XNNPACK's operator clock counts whole microseconds; less than this in one execution supports no ratio.
MIN_OPERATOR_US = 20.0

_ORDINAL = re.compile(r" #\d+\Z")


@dataclass(frozen=True)
class OperatorTime:
    """Operators of one name in one experiment: ms in one execution, and its relative spread."""

    name: str
    category: str
    delegated: bool
    calls: float
    ms: float
    call_us: float
    relative_spread: float


@dataclass(frozen=True)
class OperatorChange:
    """One kind of operator in the baseline and the candidate; a side is None where it has none."""

    name: str
    kind: str
    category: str
    delegated: bool
    baseline: OperatorTime | None
    candidate: OperatorTime | None
    speedup: float | None
    slower: bool


def operator_time(row: OperatorStats) -> OperatorTime:
    """Return an operator's time in the form that comparing takes."""
    median = row.median_us
    return OperatorTime(
        name=row.name,
        category=row.category,
        delegated=bool(row.delegated),
        calls=row.calls_per_run,
        ms=row.total_ms_per_run,
        call_us=median,
        # A call shorter than the clock's tick has a median of 0 and no known spread.
        relative_spread=(row.p90_us - row.p10_us) / 2 / median if median > 0 else math.nan,
    )


def operator_changes(baseline: Iterable[OperatorStats], candidate: Iterable[OperatorStats]) -> list[OperatorChange]:
    """Put the kinds of operator of two experiments side by side, the most expensive first.

    Names are matched by `operators.kind`, without their ordinals and element types: SME2
    itself changes the latter, so neither identifies the same operator on both sides.
    `speedup` is baseline over candidate time, None where a side is missing or takes less than
    `MIN_OPERATOR_US` of one execution. `slower` is set only where the calls' ranges (10th to 90th
    percentile) lie apart, so that noise alone does not name an operator.
    """
    first, second = _by_kind(baseline), _by_kind(candidate)
    changes = [_change(key[0], first.get(key), second.get(key)) for key in first | second]
    return sorted(changes, key=lambda c: (-max(side.ms for side in (c.baseline, c.candidate) if side), c.name))


def _change(kind_name: str, before: OperatorTime | None, after: OperatorTime | None) -> OperatorChange:
    sides = [side for side in (before, after) if side]
    change = OperatorChange(
        name=" / ".join(dict.fromkeys(side.name for side in sides)),
        kind=kind_name,
        category=sides[-1].category,
        delegated=sides[-1].delegated,
        baseline=before,
        candidate=after,
        speedup=None,
        slower=False,
    )
    if before is None or after is None or 1000 * min(before.ms, after.ms) < MIN_OPERATOR_US:
        return change
    return replace(change, speedup=before.ms / after.ms, slower=_slower(before, after))


def _by_kind(rows: Iterable[OperatorStats]) -> dict[tuple[str, bool], OperatorTime]:
    groups: dict[tuple[str, bool], list[OperatorTime]] = {}
    for row in map(operator_time, rows):
        groups.setdefault((kind(row.name), row.delegated), []).append(row)
    return {key: _together(group) for key, group in groups.items()}


def _together(group: Sequence[OperatorTime]) -> OperatorTime:
    """Add up operators of one kind; their spreads as if all moved together, which overstates it."""
    total, calls = sum(row.ms for row in group), sum(row.calls for row in group)
    known = [row for row in group if math.isfinite(row.relative_spread)]
    weight = sum(row.ms for row in known)
    return OperatorTime(
        name=" + ".join(sorted({_ORDINAL.sub("", row.name) for row in group})),
        category=group[0].category,
        delegated=group[0].delegated,
        calls=calls,
        ms=total,
        call_us=1000 * total / calls if calls else 0.0,
        relative_spread=sum(row.ms * row.relative_spread for row in known) / weight if weight else 0.0,
    )


def _slower(before: OperatorTime, after: OperatorTime) -> bool:
    return after.call_us * (1 - after.relative_spread) > before.call_us * (1 + before.relative_spread)
