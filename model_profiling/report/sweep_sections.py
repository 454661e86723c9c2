# SPDX-License-Identifier: Apache-2.0
"""The sections of a sweep's page, in their order: the page and its navigation follow this list."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from model_profiling.report.section import ReportSection
from model_profiling.report.sweep_view import SweepView


@dataclass(frozen=True)
class SweepSection(ReportSection):
    """A part of a sweep's page."""

    view: SweepView


@dataclass(frozen=True)
class SweepMatrixSection(SweepSection):
    """Speed-ups at a glance, a column for each device and thread count."""

    anchor: ClassVar[str] = "matrix"
    title: ClassVar[str] = "Speed-up"
    template: ClassVar[str] = "sweep-matrix"

    @property
    def shown(self) -> bool:
        return bool(self.view.matrix.rows)


@dataclass(frozen=True)
class SweepShippingSection(SweepSection):
    """What to ship on each device."""

    anchor: ClassVar[str] = "shipping"
    title: ClassVar[str] = "Which to ship"
    template: ClassVar[str] = "sweep-shipping"

    @property
    def shown(self) -> bool:
        return bool(self.view.shipped)


@dataclass(frozen=True)
class SweepFailuresSection(SweepSection):
    """What failed, and why."""

    anchor: ClassVar[str] = "failures"
    title: ClassVar[str] = "Failures"
    template: ClassVar[str] = "sweep-failures"

    @property
    def shown(self) -> bool:
        return bool(self.view.failures)


@dataclass(frozen=True)
class SweepCellsSection(SweepSection):
    """Every cell, by device."""

    anchor: ClassVar[str] = "cells"
    title: ClassVar[str] = "Cells"
    template: ClassVar[str] = "sweep-cells"


@dataclass(frozen=True)
class SweepCoverageSection(SweepSection):
    """How much of each program reaches SME2."""

    anchor: ClassVar[str] = "coverage"
    title: ClassVar[str] = "SME2 coverage"
    template: ClassVar[str] = "sweep-coverage"

    @property
    def shown(self) -> bool:
        return bool(self.view.coverage)


SWEEP_SECTIONS: Sequence[Callable[[SweepView], ReportSection]] = (
    SweepMatrixSection,
    SweepShippingSection,
    SweepFailuresSection,
    SweepCellsSection,
    SweepCoverageSection,
)
