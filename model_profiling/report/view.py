# SPDX-License-Identifier: Apache-2.0
"""What a report says, as values: built once, rendered as HTML, Markdown and figures alike.

Everything printed is a string or a `Quantity`, rounded already; renderers decide only
how it looks.
"""

from __future__ import annotations

from dataclasses import dataclass

from model_profiling.analysis.kernels.side_by_side import KernelView, SideRows
from model_profiling.report.rounding import Quantity

#: A sentence: words, and numbers that lead back to where they stand.
Sentence = tuple["str | Quantity", ...]


class Identifier(str):
    """A name from the model or its source, shown as it is: no word, and no number of a measurement."""


def plain(sentence: Sentence) -> str:
    """Return a sentence as plain text."""
    return "".join(part if isinstance(part, str) else part.text for part in sentence)


@dataclass(frozen=True)
class Arm:
    """One experiment at one thread count: its row of the latency table, and its dots."""

    experiment: str
    side: str
    series: int
    threads: int
    resolved: str
    launches: Quantity
    executions: Quantity
    median: Quantity
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
    """What one comparison supports. `tone` is "good", "bad" or "open" (nothing shown)."""

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


@dataclass(frozen=True)
class CategoryRow:
    """One category's time in one execution, before and after."""

    name: str
    baseline: Quantity | None
    candidate: Quantity | None
    baseline_share: Quantity | None
    candidate_share: Quantity | None


@dataclass(frozen=True)
class OperatorRow:
    """One operator's time in one execution in ms, before and after; `verdict` is "" where there is none."""

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


@dataclass(frozen=True)
class LayerRow:
    """One layer's time in one execution in us, before and after, and what it computes.

    `name` is its module's path, or what it does where no path is known (`detail` is then "").
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
class PairRow:
    """One pair of launches: which side ran first, its two medians and their ratio."""

    number: int
    first: str
    baseline: Quantity
    candidate: Quantity
    speedup: Quantity
    flag: str


@dataclass(frozen=True)
class Breakdown:
    """Where the time went, before and after: present where launches were traced."""

    bottleneck: tuple[Sentence, ...]
    categories: tuple[CategoryRow, ...]
    placement: tuple[CategoryRow, ...]
    operators: tuple[OperatorRow, ...]
    layers: tuple[LayerRow, ...]
    not_attributed: Sentence
    slower: tuple[Sentence, ...]


@dataclass(frozen=True)
class Comparison:
    """One baseline against one candidate at one thread count."""

    anchor: str
    baseline: str
    candidate: str
    baseline_side: str
    candidate_side: str
    baseline_series: int
    candidate_series: int
    threads: int
    title: str
    verdict: Verdict
    breakdown: Breakdown | None
    pairs: tuple[PairRow, ...]


@dataclass(frozen=True)
class ThreadRow:
    """One thread count of one comparison; `resolved` says what ran where that is not what was asked for."""

    threads: int
    resolved: str
    baseline: Quantity
    candidate: Quantity
    speedup: Quantity
    low: Quantity | None
    high: Quantity | None
    word: str


@dataclass(frozen=True)
class Scaling:
    """One comparison over several thread counts, and in words what threads bring."""

    baseline_side: str
    candidate_side: str
    baseline_series: int
    candidate_series: int
    rows: tuple[ThreadRow, ...]
    sentences: tuple[Sentence, ...]


@dataclass(frozen=True)
class Note:
    """Something to know before trusting the numbers. `tone`: "good", "info" or "warn"."""

    tone: str
    title: str
    sentences: tuple[Sentence, ...]


@dataclass(frozen=True)
class KernelSide:
    """One experiment that recorded kernels, and what it showed, in words."""

    experiment: str
    side: str
    series: int
    sentences: tuple[str, ...]


@dataclass(frozen=True)
class CoverageBar:
    """One share that reaches SME2, of 1: of what, and the counts behind it ("43 of 54") where there are any."""

    side: KernelSide
    of: str
    counts: str
    share: Quantity


@dataclass(frozen=True)
class KernelRow:
    """The kernels of one layer, or of one operator or kind where layers are not known, on both sides."""

    number: Identifier
    name: Identifier
    detail: Identifier
    multiply_adds: Quantity | None
    on: SideRows
    off: SideRows
    differs: bool


@dataclass(frozen=True)
class MissingRow:
    """One matrix layer that does not reach SME2, and the operators it ran as."""

    number: Identifier
    name: Identifier
    detail: Identifier
    multiply_adds: Quantity
    operators: Identifier


@dataclass(frozen=True)
class KernelSection:
    """What one or two launches showed of kernels: the first side is the one with the features left on.

    `missing` is None where it is not known which layers reach SME2. `left_out` counts
    layers without any kernel that the record can see.
    """

    anchor: str
    title: str
    threads: int
    evidence: str
    meaning: str
    sides: tuple[KernelSide, ...]
    by_layer: bool
    view: KernelView
    differing: str
    bars: tuple[CoverageBar, ...]
    rows: tuple[KernelRow, ...]
    left_out: int
    missing: tuple[MissingRow, ...] | None
    notes: tuple[str, ...]


@dataclass(frozen=True)
class View:
    """The whole report."""

    title: str
    model: str
    subtitle: str
    byline: tuple[str, ...]
    switched: tuple[str, ...]
    arms: tuple[Arm, ...]
    comparisons: tuple[Comparison, ...]
    scaling: tuple[Scaling, ...]
    outside: tuple[OutsideRow, ...]
    outside_costs: Comparison | None
    kernels: tuple[KernelSection, ...]
    notes: tuple[Note, ...]
    machine: tuple[tuple[str, str], ...]
    model_facts: tuple[tuple[str, str], ...]
    versions: tuple[tuple[str, str], ...]
    commands: tuple[tuple[str, str], ...]
    configuration: str
    files: tuple[tuple[str, str], ...]

    @property
    def no_verdict(self) -> str:
        """Why a report without comparisons has no verdict."""
        return (
            "No two experiments of this run are compared, so there is no verdict."
            if self.arms
            else "This run has no times to compare, so there is no verdict."
        )

    @property
    def several_threads(self) -> bool:
        return len({arm.threads for arm in self.arms}) > 1
