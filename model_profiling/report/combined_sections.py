# SPDX-License-Identifier: Apache-2.0
"""The sections of a combined report, in their order: HTML, Markdown and the navigation all follow this list."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from model_profiling.analysis.comparing.run_differences import RunDifference
from model_profiling.report.combined_view import CombinedView, ComparisonRow, RatioRow, RunCard, ShareRow
from model_profiling.report.section import ReportSection


@dataclass(frozen=True)
class RunsSection(ReportSection):
    """The runs, what differs between them, and what is the same."""

    anchor: ClassVar[str] = "runs"
    title: ClassVar[str] = "Runs"
    template: ClassVar[str] = "combined-runs"
    runs: tuple[RunCard, ...]
    labels: tuple[str, ...]
    differences: tuple[RunDifference, ...]
    shared: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, view: CombinedView) -> RunsSection:
        return cls(view.runs, view.labels, view.differences, view.shared)


@dataclass(frozen=True)
class RunLatencySection(ReportSection):
    """The latency of every run's experiments, with its ratio to the first run's."""

    anchor: ClassVar[str] = "latency"
    title: ClassVar[str] = "Latency"
    template: ClassVar[str] = "combined-latency"
    experiments: tuple[RatioRow, ...]

    @classmethod
    def of(cls, view: CombinedView) -> RunLatencySection:
        return cls(view.experiments)


@dataclass(frozen=True)
class RunSpeedupSection(ReportSection):
    """The comparisons within the runs."""

    anchor: ClassVar[str] = "speedups"
    title: ClassVar[str] = "Speed-up"
    template: ClassVar[str] = "combined-speedups"
    comparisons: tuple[ComparisonRow, ...]

    @property
    def shown(self) -> bool:
        return bool(self.comparisons)

    @classmethod
    def of(cls, view: CombinedView) -> RunSpeedupSection:
        return cls(view.comparisons)


@dataclass(frozen=True)
class RunSharesSection(ReportSection):
    """How the sides of every run divide their time among the categories."""

    anchor: ClassVar[str] = "shares"
    title: ClassVar[str] = "Where the time goes"
    template: ClassVar[str] = "combined-shares"
    categories: tuple[str, ...]
    shares: tuple[ShareRow, ...]

    @property
    def shown(self) -> bool:
        return bool(self.shares)

    @classmethod
    def of(cls, view: CombinedView) -> RunSharesSection:
        return cls(view.categories, view.shares)


COMBINED_SECTIONS: Sequence[Callable[[CombinedView], ReportSection]] = (
    RunsSection.of,
    RunLatencySection.of,
    RunSpeedupSection.of,
    RunSharesSection.of,
)
