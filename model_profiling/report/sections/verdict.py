# SPDX-License-Identifier: Apache-2.0
"""The verdict: what the comparisons support, and what was switched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from model_profiling.report.load import RunData
from model_profiling.report.naming import Naming
from model_profiling.report.section import Section
from model_profiling.report.view import ComparisonView, View


@dataclass(frozen=True)
class VerdictsSection(Section):
    """Every comparison's verdict, and what was switched; `timed` says whether the run has times at all."""

    anchor: ClassVar[str] = "verdict"
    title: ClassVar[str] = "Verdict"
    template: ClassVar[str] = "verdict"
    comparisons: tuple[ComparisonView, ...]
    switched: tuple[str, ...]
    timed: bool

    @property
    def no_verdict(self) -> str:
        """Why a report without comparisons has no verdict."""
        return (
            "No two experiments of this run are compared, so there is no verdict."
            if self.timed
            else "This run has no times to compare, so there is no verdict."
        )

    @classmethod
    def of(cls, run: RunData, naming: Naming, view: View) -> VerdictsSection:
        return cls(view.comparisons, view.switched, bool(view.experiments))
