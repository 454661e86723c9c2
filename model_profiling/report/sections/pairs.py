# SPDX-License-Identifier: Apache-2.0
"""Every pair of launches: a table of its own in Markdown, folded below the comparisons in HTML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from model_profiling.report.load import RunData
from model_profiling.report.naming import Naming
from model_profiling.report.section import Page, Section
from model_profiling.report.view import ComparisonView, View


@dataclass(frozen=True)
class PairsSection(Section):
    """The comparisons with their pairs."""

    anchor: ClassVar[str] = ""
    title: ClassVar[str] = "Every pair"
    template: ClassVar[str] = "pairs"
    comparisons: tuple[ComparisonView, ...]

    def links(self) -> Sequence[tuple[str, str]]:
        return ()

    def html(self, page: Page) -> None:
        return None  # the verdict's section has them

    @classmethod
    def of(cls, run: RunData, naming: Naming, view: View) -> PairsSection:
        return cls(tuple(c for c in view.comparisons if c.pairs))
