# SPDX-License-Identifier: Apache-2.0
"""Outside XNNPACK: which operators stayed in portable kernels, why, and what they cost."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from model_profiling.analysis.traces.outside import OperatorsOutside, outside_operators
from model_profiling.report.layer_rows import LayersOfSide
from model_profiling.report.load import RunData
from model_profiling.report.naming import Naming
from model_profiling.report.quantities import Identifier, Quantity, quantity
from model_profiling.report.section import Section
from model_profiling.report.view import ComparisonView, View
from model_profiling.rounding import places_for


@dataclass(frozen=True)
class OutsideRow:
    """Operators of one kind that stayed outside XNNPACK, why, and their time in us, before and after."""

    operator: Identifier
    count: int
    module: Identifier
    source: Identifier
    reason: str
    hint: str
    baseline: Quantity | None
    candidate: Quantity | None


@dataclass(frozen=True)
class OutsideSection(Section):
    """Operators outside XNNPACK; `costs` is the comparison whose times their rows give, None where none knows layers."""

    anchor: ClassVar[str] = "outside"
    title: ClassVar[str] = "Outside XNNPACK"
    template: ClassVar[str] = "outside"
    rows: tuple[OutsideRow, ...]
    costs: ComparisonView | None

    @property
    def shown(self) -> bool:
        return bool(self.rows)

    @classmethod
    def of(cls, run: RunData, naming: Naming, view: View) -> OutsideSection:
        return cls(_rows(run), next((c for c in view.comparisons if c.breakdown and c.breakdown.layers), None))


def _rows(run: RunData) -> tuple[OutsideRow, ...]:
    """Return what ran outside XNNPACK and why, with its cost in the first comparison where that is known."""
    recorded = _not_delegated(run)
    index = next((number for number, compared in enumerate(run.summary.comparisons) if compared.layers), None)
    if index is None:
        return tuple(_row(operator, None, None) for operator in outside_operators(recorded, ()))
    compared = run.summary.comparisons[index]
    rows_of_layers = LayersOfSide(run, compared.baseline, compared.threads).table.rows
    position = {layer.layer: number for number, layer in enumerate(compared.layers)}
    rows = []
    for operator in outside_operators(recorded, [row.layer for row in rows_of_layers]):
        names = [rows_of_layers[number].layer.layer for number in operator.layers]
        layers = [position[name] for name in names if name in position]
        times = [(compared.layers[number].baseline_us, compared.layers[number].candidate_us) for number in layers]
        paths = [run.in_summary("comparisons", index, "layers", number) for number in layers]
        rows.append(
            _row(
                operator,
                _sum([before for before, _ in times], [f"{path}/baseline_us" for path in paths]),
                _sum([after for _, after in times], [f"{path}/candidate_us" for path in paths]),
            )
        )
    return tuple(sorted(rows, key=lambda row: -(row.baseline.raw if row.baseline else 0.0)))


def _not_delegated(run: RunData) -> Sequence[Mapping[str, str]]:
    """Return what the model's export recorded of operators outside XNNPACK."""
    delegation = (run.export or {}).get("delegation") or {}
    return delegation.get("not_delegated") or ()


def _row(operator: OperatorsOutside, baseline: Quantity | None, candidate: Quantity | None) -> OutsideRow:
    return OutsideRow(
        Identifier(operator.operator),
        operator.count,
        Identifier(operator.module),
        Identifier(operator.source),
        operator.reason,
        operator.hint,
        baseline,
        candidate,
    )


def _sum(values_us: Sequence[float | None], paths: Sequence[str]) -> Quantity | None:
    known = [value for value in values_us if value is not None]
    if not known or len(known) < len(values_us):
        return None
    total = math.fsum(known)
    return quantity(total, ",".join(paths) + "|sum", min(places_for(None, total), 1))
