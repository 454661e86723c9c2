# SPDX-License-Identifier: Apache-2.0
"""What a combined report says, as values: several runs side by side."""

from __future__ import annotations

from dataclasses import dataclass

from model_profiling.analysis.comparing.run_differences import RunDifference
from model_profiling.report.quantities import Quantity, Sentence
from model_profiling.report.section import Block
from model_profiling.report.shipping import ShippingGroup
from model_profiling.report.view import CategoryRow, ComparisonView, ExperimentRow


@dataclass(frozen=True)
class RunCard:
    """One run: its label in this report, what it measured, and where it lies."""

    label: str
    cpu: str
    model: str
    dtype: str
    switched: str
    executorch: str
    started: str
    folder: str


@dataclass(frozen=True)
class RatioRow:
    """One experiment and thread count of a run.

    `ratio` is its time over that of the first run's experiment of the same name, with
    Welch's interval; None with the `reason` that there is none.
    """

    label: str
    experiment: ExperimentRow
    ratio: Quantity | None
    low: Quantity | None
    high: Quantity | None
    reason: str


@dataclass(frozen=True)
class ComparisonRow:
    """One comparison within a run."""

    label: str
    comparison: ComparisonView


@dataclass(frozen=True)
class ShareRow:
    """How one side of a comparison divides its time among the categories, in percent, in the order of the report."""

    label: str
    side: str
    series: int
    threads: int
    shares: tuple[Quantity | None, ...]


@dataclass(frozen=True)
class CombinedView:
    """The whole combined report."""

    title: str
    byline: tuple[str, ...]
    summary: tuple[Sentence, ...]
    caution: tuple[str, ...]
    runs: tuple[RunCard, ...]
    differences: tuple[RunDifference, ...]
    shared: tuple[tuple[str, str], ...]
    experiments: tuple[RatioRow, ...]
    comparisons: tuple[ComparisonRow, ...]
    categories: tuple[str, ...]
    shares: tuple[ShareRow, ...]
    shipping: tuple[ShippingGroup, ...]
    sme2_bounds: tuple[Block, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(run.label for run in self.runs)


def share_of(rows: tuple[CategoryRow, ...], category: str, candidate: bool) -> Quantity | None:
    """Return the share of `category` on one side of a breakdown."""
    row = next((row for row in rows if row.name == category), None)
    return None if row is None else row.candidate_share if candidate else row.baseline_share
