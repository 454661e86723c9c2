# SPDX-License-Identifier: Apache-2.0
"""How much of a model reaches SME2: its shares as values, and as a figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from model_profiling.analysis.tables.kernels import CALLED, REGISTERED
from model_profiling.report import figures
from model_profiling.report.figures import Bar, Chart, Drawable, Row
from model_profiling.report.palette import series
from model_profiling.report.quantities import Quantity

_COVERAGE = {CALLED: "calls SME2 kernels", REGISTERED: "runs with element types packed for SME"}


_COVERAGE_CAPTION = {
    CALLED: "How much of the model's matrix work is in layers that call SME2 kernels.",
    REGISTERED: "How much of the model's matrix work is in layers that ran with element types which XNNPACK packs for SME "
    "and SME2 alone (PF32, PF16, PQS8).",
}


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


def coverage_chart(name: str, evidence: str, sides: Sequence[KernelSide], shares: Sequence[CoverageBar]) -> Drawable:
    """Return the figure of the shares of one or two sides."""
    rows = tuple(
        Row(
            of,
            "",
            tuple(
                Bar(
                    bar.share.raw,
                    f"{bar.share.text} %" + (f" ({bar.counts})" if bar.counts else ""),
                    series(bar.side.series),
                )
                for bar in shares
                if bar.of == of
            ),
        )
        for of in dict.fromkeys(bar.of for bar in shares)
    )
    told = "; ".join(f"{bar.of}, {bar.side.side}: {bar.share.text} %" for bar in shares)
    legend = tuple((series(side.series), side.side) for side in sides)
    chart = Chart(name, f"Bar chart of how much of the model {_COVERAGE[evidence]}. {told}.", rows, legend, whole=1.0)
    return Drawable(chart, figures.bars, _COVERAGE_CAPTION[evidence])
