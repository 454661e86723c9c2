# SPDX-License-Identifier: Apache-2.0
"""The figures of a report: those of latency and speed-up here, each section's own in its file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from model_profiling.report import figures
from model_profiling.report.figures import Bar, BarRow, Chart, Drawable
from model_profiling.report.palette import series
from model_profiling.report.svg import Drawing
from model_profiling.report.view import ComparisonView, ExperimentRow, View
from model_profiling.wording import count


@dataclass(frozen=True)
class Figure:
    """A drawn figure: its wide and narrow version and what its caption says."""

    name: str
    wide: Drawing
    narrow: Drawing
    caption: str

    @property
    def alt(self) -> str:
        return self.wide.alt


def figures_of(view: View) -> dict[str, Figure]:
    """Draw every figure of a report; keys are file names without suffix."""
    sections = (section for section in view.sections if section.shown)
    return drawn([*_shared(view), *(drawable for section in sections for drawable in section.figures())])


def drawn(drawables: Iterable[Drawable]) -> dict[str, Figure]:
    """Draw figures for wide and narrow pages."""
    return {d.chart.name: Figure(d.chart.name, *figures.draw(d.chart, d.painter), d.caption) for d in drawables}


def _shared(view: View) -> Iterator[Drawable]:
    if view.experiments:
        yield Drawable(
            _latency(view.experiments),
            figures.bars,
            "Time of one inference. Each dot is one launch (a process); the thin line spans "
            "the 10th to 90th percentile of all executions.",
        )
    if view.comparisons:
        yield Drawable(
            _speedups(view),
            figures.intervals,
            "Speed-up of every pair of launches (dots), the estimate (tick) and its 95 % interval (band). "
            "Right of the line the candidate is faster; the scale is logarithmic.",
        )


def _latency(experiments: Sequence[ExperimentRow]) -> Chart:
    rows = [
        BarRow(count(threads, "thread"), "", tuple(_latency_bar(row) for row in experiments if row.threads == threads))
        for threads in dict.fromkeys(row.threads for row in experiments)
    ]
    legend = {series(row.series): row.side for row in experiments}
    told = "; ".join(f"{row.side}, {count(row.threads, 'thread')}: {row.time.text} ms" for row in experiments)
    return Chart("latency", f"Bar chart of latency. {told}.", tuple(rows), tuple(legend.items()), thickness=24)


def _latency_bar(row: ExperimentRow) -> Bar:
    return Bar(row.time.raw, f"{row.time.text} ms", series(row.series), row.dots, row.p10.raw, row.p90.raw)


def _speedups(view: View) -> Chart:
    rows = []
    for names in dict.fromkeys((c.baseline_side, c.candidate_side) for c in view.comparisons):
        of_names = [c for c in view.comparisons if (c.baseline_side, c.candidate_side) == names]
        rows += [BarRow(c.candidate_side, count(c.threads, "thread"), (ratio_bar(c),)) for c in of_names]
    told = "; ".join(f"{c.title}: {c.verdict.speedup.text}×" for c in view.comparisons)
    return Chart("speedup", f"Dot plot of the speed-up of each pair of launches. {told}.", tuple(rows))


def ratio_bar(comparison: ComparisonView) -> Bar:
    """Return a comparison's speed-up for `figures.intervals`: the estimate, its interval, its pairs."""
    verdict = comparison.verdict
    low, high = (q.raw if q else None for q in (verdict.low, verdict.high))
    interval = f" ({verdict.low.text} to {verdict.high.text})" if verdict.low and verdict.high else ""
    return Bar(
        verdict.speedup.raw,
        f"{verdict.speedup.text}×{interval}",
        series(comparison.candidate_series),
        tuple(pair.speedup.raw for pair in comparison.pairs),
        low,
        high,
    )
