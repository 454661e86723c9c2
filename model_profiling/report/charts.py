# SPDX-License-Identifier: Apache-2.0
"""Which figures a report has, and what each shows: from the view's values to charts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from model_profiling.analysis.tables.kernels import CALLED, REGISTERED
from model_profiling.report import figures
from model_profiling.report.figures import Bar, Chart, Row
from model_profiling.report.naming import count
from model_profiling.report.palette import series
from model_profiling.report.svg import Drawing
from model_profiling.report.view import Arm, Comparison, KernelSection, LayerRow, OperatorRow, View

#: Operators drawn before and after; the table below the figure has more.
MOST_OPERATORS_DRAWN = 10
_COVERAGE = {CALLED: "calls SME2 kernels", REGISTERED: "runs with element types packed for SME"}
_COVERAGE_CAPTION = {
    CALLED: "How much of the model's matrix work is in layers that call SME2 kernels.",
    REGISTERED: "How much of the model's matrix work is in layers that ran with element types which XNNPACK packs for SME "
    "and SME2 alone (PF32, PF16, PQS8).",
}


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
    drawn = {}
    for chart, painter, caption in _charts(view):
        wide, narrow = figures.draw(chart, painter)
        drawn[chart.name] = Figure(chart.name, wide, narrow, caption)
    return drawn


def _charts(view: View) -> Iterator[tuple[Chart, Callable[[Chart, int], Drawing], str]]:
    if view.arms:
        yield (
            _latency(view.arms),
            figures.bars,
            "Median latency of one inference. Each dot is the median of one launch (a process); the thin line spans the "
            "10th to 90th percentile of all executions.",
        )
    if view.comparisons:
        yield (
            _speedups(view),
            figures.intervals,
            "Speed-up of every pair of launches (dots), the estimate (tick) and its 95 % interval (band). "
            "Right of the line the candidate is faster; the scale is logarithmic.",
        )
    for comparison in view.comparisons:
        if comparison.breakdown is None:
            continue
        yield (
            _categories(comparison),
            figures.bars,
            "Time of one inference by category, in ms, from traced executions.",
        )
        if comparison.breakdown.operators:
            shown = min(MOST_OPERATORS_DRAWN, len(comparison.breakdown.operators))
            yield (
                _operators(comparison),
                figures.bars,
                f"The {count(shown, 'operator')} that take the most time, in ms of one inference.",
            )
        if comparison.breakdown.layers:
            shown = min(MOST_OPERATORS_DRAWN, len(comparison.breakdown.layers))
            yield (
                _layers(comparison),
                figures.bars,
                f"The {count(shown, 'layer')} that take the most time, in µs of one inference.",
            )
    for section in view.kernels:
        if section.bars:
            yield (_coverage(section), figures.bars, _COVERAGE_CAPTION[section.evidence])


def _coverage(section: KernelSection) -> Chart:
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
                for bar in section.bars
                if bar.of == of
            ),
        )
        for of in dict.fromkeys(bar.of for bar in section.bars)
    )
    told = "; ".join(f"{bar.of}, {bar.side.side}: {bar.share.text} %" for bar in section.bars)
    legend = tuple((series(side.series), side.side) for side in section.sides)
    return Chart(
        section.anchor,
        f"Bar chart of how much of the model {_COVERAGE[section.evidence]}. {told}.",
        rows,
        legend,
        whole=1.0,
    )


def _latency(arms: Sequence[Arm]) -> Chart:
    rows = []
    for threads in dict.fromkeys(arm.threads for arm in arms):
        held = [arm for arm in arms if arm.threads == threads]
        rows.append(
            Row(
                count(threads, "thread"),
                "",
                tuple(
                    Bar(arm.median.raw, f"{arm.median.text} ms", series(arm.series), arm.dots, arm.p10.raw, arm.p90.raw)
                    for arm in held
                ),
            )
        )
    legend = {series(arm.series): arm.side for arm in arms}
    told = "; ".join(f"{arm.side}, {count(arm.threads, 'thread')}: {arm.median.text} ms" for arm in arms)
    return Chart("latency", f"Bar chart of median latency. {told}.", tuple(rows), tuple(legend.items()), thickness=24)


def _speedups(view: View) -> Chart:
    rows = []
    for names in dict.fromkeys((c.baseline_side, c.candidate_side) for c in view.comparisons):
        held = [c for c in view.comparisons if (c.baseline_side, c.candidate_side) == names]
        for comparison in held:
            rows.append(Row(comparison.candidate_side, count(comparison.threads, "thread"), (ratio_bar(comparison),)))
    told = "; ".join(f"{c.title}: {c.verdict.speedup.text}×" for c in view.comparisons)
    return Chart("speedup", f"Dot plot of the speed-up of each pair of launches. {told}.", tuple(rows))


def ratio_bar(comparison: Comparison) -> Bar:
    """Return a comparison's speed-up for `figures.intervals`: the estimate, its interval, its pairs."""
    verdict = comparison.verdict
    low, high = (q.raw if q else None for q in (verdict.low, verdict.high))
    interval = f" ({verdict.low.text} to {verdict.high.text})" if verdict.low else ""
    return Bar(
        verdict.speedup.raw,
        f"{verdict.speedup.text}×{interval}",
        series(comparison.candidate_series),
        tuple(pair.speedup.raw for pair in comparison.pairs),
        low,
        high,
    )


def _categories(comparison: Comparison) -> Chart:
    roles = series(comparison.baseline_series), series(comparison.candidate_series)
    rows, told = [], []
    for row in comparison.breakdown.categories:
        sides = [q for q in (row.baseline, row.candidate) if q is not None]
        if not any(q.raw for q in sides):
            continue  # a category that the model does not use
        rows.append(
            Row(
                row.name,
                "",
                tuple(Bar(max(q.raw, 0), q.text, role) for q, role in zip((row.baseline, row.candidate), roles) if q),
            )
        )
        told.append(f"{row.name} {' and '.join(q.text for q in sides)} ms")
    alt = (
        f"Bar chart of time by category with {comparison.baseline_side} and {comparison.candidate_side}. "
        f"{'; '.join(told)}."
    )
    return Chart(f"categories-{comparison.anchor}", alt, tuple(rows), _legend(comparison))


def _operators(comparison: Comparison) -> Chart:
    roles = series(comparison.baseline_series), series(comparison.candidate_series)
    shown = comparison.breakdown.operators[:MOST_OPERATORS_DRAWN]
    rows = tuple(
        Row(row.name, "" if row.where == "XNNPACK" else row.where, _operator_bars(row, roles)) for row in shown
    )
    told = "; ".join(
        f"{row.name} {' and '.join(q.text for q in (row.baseline, row.candidate) if q)} ms" for row in shown
    )
    alt = f"Bar chart of the slowest operators with {comparison.baseline_side} and {comparison.candidate_side}. {told}."
    return Chart(f"operators-{comparison.anchor}", alt, rows, _legend(comparison))


def _layers(comparison: Comparison) -> Chart:
    roles = series(comparison.baseline_series), series(comparison.candidate_series)
    shown = comparison.breakdown.layers[:MOST_OPERATORS_DRAWN]
    rows = tuple(Row(row.name, row.detail, _operator_bars(row, roles)) for row in shown)
    told = "; ".join(
        f"{row.name} {' and '.join(q.text for q in (row.baseline, row.candidate) if q)} µs" for row in shown
    )
    alt = f"Bar chart of the slowest layers with {comparison.baseline_side} and {comparison.candidate_side}. {told}."
    return Chart(f"layers-{comparison.anchor}", alt, rows, _legend(comparison))


def _operator_bars(row: OperatorRow | LayerRow, roles: tuple[str, str]) -> tuple[Bar, ...]:
    return tuple(Bar(q.raw, q.text, role) for q, role in zip((row.baseline, row.candidate), roles) if q)


def _legend(comparison: Comparison) -> tuple[tuple[str, str], ...]:
    return (
        (series(comparison.baseline_series), comparison.baseline_side),
        (series(comparison.candidate_series), comparison.candidate_side),
    )
