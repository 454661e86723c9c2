# SPDX-License-Identifier: Apache-2.0
"""What a report says, as values: built once, rendered as HTML, Markdown and figures alike.

Everything printed is a string or a `Quantity`, rounded already; renderers decide only
how it looks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from model_profiling.analysis.traces.operator_stats import OperatorStats
from model_profiling.report.quantities import Identifier, Quantity, Sentence
from model_profiling.report.section import ReportSection
from model_profiling.wording import capitalized


@dataclass(frozen=True)
class ExperimentRow:
    """One experiment at one thread count: its row of the latency table, and its dots.

    `time` is what ratios are made of; the other latencies are of all executions.
    """

    experiment: str
    side: str
    series: int
    threads: int
    resolved: str
    launches: Quantity
    executions: Quantity
    time: Quantity
    mean: Quantity
    p10: Quantity
    p90: Quantity
    minimum: Quantity
    maximum: Quantity
    load: Quantity | None
    rss: Quantity | None
    tracer: Quantity | None
    dots: tuple[float, ...]


@dataclass(frozen=True)
class Verdict:
    """What one comparison supports. `tone` is "good", "bad" or "open" (nothing shown).

    `headline` may stand within a sentence; `of_programs` says that it begins with the name of a program.
    """

    word: str
    tone: str
    badge: str
    headline: str
    speedup: Quantity
    low: Quantity | None
    high: Quantity | None
    p_value: Quantity | None
    noise_floor: Quantity | None
    pairs: Quantity
    sentences: tuple[Sentence, ...]
    of_programs: bool

    @property
    def heading(self) -> str:
        """The headline as it stands alone."""
        return self.headline if self.of_programs else capitalized(self.headline)


@dataclass(frozen=True)
class CategoryRow:
    """One category's time in one execution, before and after."""

    name: str
    baseline: Quantity | None
    candidate: Quantity | None
    baseline_share: Quantity | None
    candidate_share: Quantity | None


@dataclass(frozen=True)
class ComparedOperator:
    """One operator's time in one execution in ms, before and after; `verdict` is "" where there is none.

    Of two programs that is "no partner" for what one of them alone has.

    `rows` are what each side's table of operators holds of it: operators of one kind are several rows.
    """

    name: str
    category: str
    where: str
    calls: str
    baseline: Quantity | None
    candidate: Quantity | None
    speedup: Quantity | None
    low: Quantity | None
    high: Quantity | None
    verdict: str
    rows: tuple[Sequence[TracedOperator], Sequence[TracedOperator]]


@dataclass(frozen=True)
class TracedOperator:
    """A row of a table of operators; with `path` begin the paths of its numbers."""

    stats: OperatorStats
    path: str


@dataclass(frozen=True)
class ComparedLayer:
    """One layer's time in one execution in us, before and after, and what it computes.

    `name` is its module's path, or what it does where no path is known (`detail` is then ""). Of two programs it may be
    several layers, `number` has those of both, and `verdict` is "no partner" for what one program alone has. `ran_as`
    are the operators that it was on both sides, without layouts and types; shares are of the machine's ceilings, in
    percent.
    """

    position: int
    number: Identifier
    name: Identifier
    detail: str
    multiply_adds: Quantity | None
    baseline: Quantity | None
    candidate: Quantity | None
    baseline_gflops: Quantity | None
    candidate_gflops: Quantity | None
    speedup: Quantity | None
    low: Quantity | None
    high: Quantity | None
    verdict: str
    ran_as: Identifier = Identifier("")
    baseline_share: Quantity | None = None
    candidate_share: Quantity | None = None


@dataclass(frozen=True)
class PairRow:
    """One pair of launches: which side ran first, its two medians and their ratio."""

    number: int
    first: str
    baseline: Quantity
    candidate: Quantity
    speedup: Quantity
    flag: str


@dataclass(frozen=True)
class TimeBreakdown:
    """Where the time went, before and after: present where launches were traced.

    `matching` says how the layers of two programs were put beside each other, "" of one program.
    `not_attributed` says how much belongs to no layer, or that no layer is known.
    """

    bottleneck: tuple[Sentence, ...]
    categories: tuple[CategoryRow, ...]
    placement: tuple[CategoryRow, ...]
    operators: tuple[ComparedOperator, ...]
    layers: tuple[ComparedLayer, ...]
    not_attributed: Sentence
    matching: str
    slower: tuple[Sentence, ...]

    @property
    def shares_known(self) -> bool:
        """Whether any layer's share of the machine's ceilings is known."""
        return any(row.baseline_share or row.candidate_share for row in self.layers)


@dataclass(frozen=True)
class ComparisonView:
    """One baseline against one candidate at one thread count; in `lockstep` the processes of a pair took turns.

    `baseline_rate` and `candidate_rate` are the units of their layers' rates of operations.
    """

    anchor: str
    baseline: str
    candidate: str
    baseline_side: str
    candidate_side: str
    baseline_series: int
    candidate_series: int
    baseline_rate: str
    candidate_rate: str
    threads: int
    title: str
    verdict: Verdict
    breakdown: TimeBreakdown | None
    pairs: tuple[PairRow, ...]
    lockstep: bool


@dataclass(frozen=True)
class View:
    """What a report says at its head and in several sections; `sections` are all of them."""

    title: str
    model: str
    subtitle: str
    byline: tuple[str, ...]
    switched: tuple[str, ...]
    experiments: tuple[ExperimentRow, ...]
    comparisons: tuple[ComparisonView, ...]
    sections: tuple[ReportSection, ...] = ()
