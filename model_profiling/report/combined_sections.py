# SPDX-License-Identifier: Apache-2.0
"""The sections of a combined report, in their order: HTML, Markdown and the navigation all follow this list."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from model_profiling.analysis.comparing.run_differences import RunDifference
from model_profiling.report.combined_view import CombinedView, ComparisonRow, RatioRow, RunCard, ShareRow
from model_profiling.report.figures import Drawable
from model_profiling.report.section import BlocksSection, ReportSection
from model_profiling.report.shipping import ShippingGroup


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


@dataclass(frozen=True)
class RunShippingSection(ReportSection):
    """What each program costs on each number of threads, and which of them nothing else beats."""

    anchor: ClassVar[str] = "shipping"
    title: ClassVar[str] = "Which to ship"
    template: ClassVar[str] = "combined-shipping"
    groups: tuple[ShippingGroup, ...]

    @property
    def shown(self) -> bool:
        return bool(self.groups)

    def figures(self) -> Iterable[Drawable]:
        return [group.figure for group in self.groups if group.figure is not None]

    @classmethod
    def of(cls, view: CombinedView) -> RunShippingSection:
        return cls(view.shipping)


@dataclass(frozen=True)
class RunSme2BoundSection(BlocksSection):
    """Amdahl's bound for SME2 of every run of a CPU without it."""

    anchor: ClassVar[str] = "sme2-bound"
    title: ClassVar[str] = "The most that SME2 could give"

    @classmethod
    def of(cls, view: CombinedView) -> RunSme2BoundSection:
        return cls(view.sme2_bounds)


COMBINED_SECTIONS: Sequence[Callable[[CombinedView], ReportSection]] = (
    RunsSection.of,
    RunShippingSection.of,
    RunLatencySection.of,
    RunSpeedupSection.of,
    RunSharesSection.of,
    RunSme2BoundSection.of,
)
