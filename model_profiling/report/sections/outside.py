# SPDX-License-Identifier: Apache-2.0
"""Outside XNNPACK: which operators stayed in portable kernels, why, and what they cost."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from model_profiling.analysis.traces.outside import outside_operators
from model_profiling.report.load import RunData
from model_profiling.report.naming import Naming
from model_profiling.report.parts import _Side
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
class Outside(Section):
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
    def of(cls, run: RunData, naming: Naming, view: View) -> Outside:
        return cls(_rows(run), next((c for c in view.comparisons if c.breakdown and c.breakdown.layers), None))


def _rows(run: RunData) -> tuple[OutsideRow, ...]:
    """Return what ran outside XNNPACK and why, with its cost in the first comparison where that is known."""
    recorded = ((run.export or {}).get("delegation") or {}).get("not_delegated") or ()
    entry = next((c for c in run.summary["comparisons"] if c.get("layers")), None)
    if entry is None:
        return tuple(_outside_row(found, None, None) for found in outside_operators(recorded, ()))
    index = run.summary["comparisons"].index(entry)
    table = _Side(run, entry["baseline"], int(entry["threads"])).table
    position = {held["layer"]: number for number, held in enumerate(entry["layers"])}
    rows = []
    for found in outside_operators(recorded, table.rows):
        held = [
            position[table.rows[number]["layer"]] for number in found.layers if table.rows[number]["layer"] in position
        ]
        rows.append(_outside_row(found, *(_sum(run, entry, index, held, side) for side in ("baseline", "candidate"))))
    return tuple(sorted(rows, key=lambda row: -(row.baseline.raw if row.baseline else 0.0)))


def _outside_row(found, baseline: Quantity | None, candidate: Quantity | None) -> OutsideRow:
    return OutsideRow(
        Identifier(found.operator),
        found.count,
        Identifier(found.module),
        Identifier(found.source),
        found.reason,
        found.hint,
        baseline,
        candidate,
    )


def _sum(run: RunData, entry: Mapping, index: int, layers: Sequence[int], side: str) -> Quantity | None:
    values = [entry["layers"][number][f"{side}_us"] for number in layers]
    if not values or None in values:
        return None
    total = math.fsum(values)
    paths = [run.in_summary("comparisons", index, "layers", number, f"{side}_us") for number in layers]
    return quantity(total, ",".join(paths) + "|sum", min(places_for(None, total), 1))
