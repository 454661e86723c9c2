# SPDX-License-Identifier: Apache-2.0
"""Where the time goes: categories, operators and layers before and after."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from model_profiling.report.comparison_charts import comparison_charts
from model_profiling.report.figures import Drawable
from model_profiling.report.load import RunData
from model_profiling.report.naming import Naming
from model_profiling.report.section import Section
from model_profiling.report.view import ComparisonView, View


@dataclass(frozen=True)
class WhereTimeGoesSection(Section):
    """The comparisons whose launches were traced."""

    anchor: ClassVar[str] = ""  # each comparison has its own
    title: ClassVar[str] = "Where the time goes"
    template: ClassVar[str] = "breakdown"
    comparisons: tuple[ComparisonView, ...]

    @property
    def shown(self) -> bool:
        return bool(self.comparisons)

    def links(self) -> Sequence[tuple[str, str]]:
        with_layers = [c.anchor for c in self.comparisons if c.breakdown and c.breakdown.layers]
        return (
            (self.comparisons[0].anchor, self.title),
            *((f"layers-{anchor}", "Layers") for anchor in with_layers[:1]),
        )

    def figures(self) -> Iterator[Drawable]:
        for comparison in self.comparisons:
            if comparison.breakdown:
                yield from comparison_charts(comparison, comparison.breakdown)

    @classmethod
    def of(cls, run: RunData, naming: Naming, view: View) -> WhereTimeGoesSection:
        return cls(tuple(c for c in view.comparisons if c.breakdown))
