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
from model_profiling.report.section import ReportSection
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
class OutsideSection(ReportSection):
    """Operators outside XNNPACK; `costs` is the comparison whose times rows give, None where none knows layers."""

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
    index = next((number for number, compared in enumerate(run.summary.comparisons) if compared.layers), None)
    if index is None:
        programs = {run.manifest.program_number(e.name): e.name for e in run.manifest.config.experiments}
        recorded = [operator for name in programs.values() for operator in _not_delegated(run, name)]
        return tuple(_row(operator, None, None) for operator in outside_operators(recorded, ()))
    compared = run.summary.comparisons[index]
    if compared.models is None:
        sides = [_OneSide(run, index, compared.baseline)]
    else:
        sides = [_OneSide(run, index, name) for name in (compared.baseline, compared.candidate)]
    rows: list[OutsideRow] = []
    told: set[object] = set()
    for side in sides:
        for operator in outside_operators(_not_delegated(run, side.experiment), side.layers):
            # What two programs both have stands in one row, with the times of both.
            these: list[object] = [*side.compared(operator)] or [(operator.operator, operator.module, operator.source)]
            if not told.issuperset(these):
                rows.append(_row(operator, *side.costs(operator)))
            told.update(these)
    return tuple(sorted(rows, key=_cheapness))


def _cheapness(row: OutsideRow) -> float:
    time = row.baseline or row.candidate
    return -time.raw if time else 0.0


class _OneSide:
    """The layers that one side of comparison `index` ran, and what they cost on both."""

    def __init__(self, run: RunData, index: int, experiment: str) -> None:
        self.experiment = experiment
        self._run, self._index, compared = run, index, run.summary.comparisons[index]
        self._layers = compared.layers
        self.layers = [row.layer for row in LayersOfSide(run, experiment, compared.threads).table.rows]
        # Of several layers that are compared as one, none has a cost of its own.
        own = [layer.names_on(experiment == compared.candidate) for layer in compared.layers]
        self._position = {names[0]: number for number, names in enumerate(own) if len(names) == 1}

    def compared(self, operator: OperatorsOutside) -> list[int]:
        """Return where the layers of operators stand among those of the comparison."""
        names = [self.layers[number].layer for number in operator.layers]
        return [self._position[name] for name in names if name in self._position]

    def costs(self, operator: OperatorsOutside) -> tuple[Quantity | None, Quantity | None]:
        """Return the time of operators on both sides in us; None where it is not known."""
        layers = self.compared(operator)
        paths = [self._run.in_summary("comparisons", self._index, "layers", number) for number in layers]
        return (
            _sum([self._layers[n].baseline_us for n in layers], [f"{path}/baseline_us" for path in paths]),
            _sum([self._layers[n].candidate_us for n in layers], [f"{path}/candidate_us" for path in paths]),
        )


def _not_delegated(run: RunData, experiment: str) -> Sequence[Mapping[str, str]]:
    """Return what the export of an experiment's program recorded of operators outside XNNPACK."""
    made = run.record_of(experiment).made
    if made is not None:
        return made.outside
    # A run of before kept no such record: it may lie beside the model still.
    delegation = (run.export_of(experiment) or {}).get("delegation") or {}
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
