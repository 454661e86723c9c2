# SPDX-License-Identifier: Apache-2.0
"""Where the time of a comparison goes, as figures: categories, operators and layers before and after."""

from __future__ import annotations

from collections.abc import Iterator

from model_profiling.report import figures
from model_profiling.report.figures import Bar, BarRow, Chart, Drawable
from model_profiling.report.palette import series
from model_profiling.report.view import ComparedLayer, ComparedOperator, ComparisonView, TimeBreakdown
from model_profiling.wording import count

#: Operators drawn before and after; the table below the figure has more.
MOST_OPERATORS_DRAWN = 10


def comparison_charts(comparison: ComparisonView, breakdown: TimeBreakdown) -> Iterator[Drawable]:
    """Yield the figures of a comparison whose launches were traced."""
    yield Drawable(
        _categories(comparison, breakdown),
        figures.bars,
        "Time of one inference by category, in ms, from traced executions.",
    )
    if breakdown.operators:
        shown = min(MOST_OPERATORS_DRAWN, len(breakdown.operators))
        yield Drawable(
            _operators(comparison, breakdown),
            figures.bars,
            f"The {count(shown, 'operator')} that take the most time, in ms of one inference.",
        )
    if breakdown.layers:
        shown = min(MOST_OPERATORS_DRAWN, len(breakdown.layers))
        yield Drawable(
            _layers(comparison, breakdown),
            figures.bars,
            f"The {count(shown, 'layer')} that take the most time, in µs of one inference.",
        )


def _categories(comparison: ComparisonView, breakdown: TimeBreakdown) -> Chart:
    roles = series(comparison.baseline_series), series(comparison.candidate_series)
    rows, told = [], []
    for row in breakdown.categories:
        sides = [q for q in (row.baseline, row.candidate) if q is not None]
        if not any(q.raw for q in sides):
            continue  # a category that the model does not use
        rows.append(
            BarRow(
                row.name,
                "",
                tuple(
                    Bar(max(q.raw, 0), q.text, role)
                    for q, role in zip((row.baseline, row.candidate), roles, strict=True)
                    if q
                ),
            )
        )
        told.append(f"{row.name} {' and '.join(q.text for q in sides)} ms")
    alt = (
        f"Bar chart of time by category with {comparison.baseline_side} and {comparison.candidate_side}. "
        f"{'; '.join(told)}."
    )
    return Chart(f"categories-{comparison.anchor}", alt, tuple(rows), _legend(comparison))


def _operators(comparison: ComparisonView, breakdown: TimeBreakdown) -> Chart:
    roles = series(comparison.baseline_series), series(comparison.candidate_series)
    shown = breakdown.operators[:MOST_OPERATORS_DRAWN]
    rows = tuple(BarRow(*_operator_title(row), _operator_bars(row, roles)) for row in shown)
    told = "; ".join(
        f"{row.name} {' and '.join(q.text for q in (row.baseline, row.candidate) if q)} ms" for row in shown
    )
    alt = f"Bar chart of the slowest operators with {comparison.baseline_side} and {comparison.candidate_side}. {told}."
    return Chart(f"operators-{comparison.anchor}", alt, rows, _legend(comparison))


def _operator_title(row: ComparedOperator) -> tuple[str, str]:
    """Return an operator's name, and what stands below it: its other side's name, and where it runs."""
    name, joined, other = row.name.partition(" / ")
    below = [f"/ {other}"] if joined else []
    return name, ", ".join([*below, *([] if row.where == "XNNPACK" else [row.where])])


def _layers(comparison: ComparisonView, breakdown: TimeBreakdown) -> Chart:
    roles = series(comparison.baseline_series), series(comparison.candidate_series)
    shown = breakdown.layers[:MOST_OPERATORS_DRAWN]
    rows = tuple(BarRow(row.name, row.detail, _operator_bars(row, roles)) for row in shown)
    told = "; ".join(
        f"{row.name} {' and '.join(q.text for q in (row.baseline, row.candidate) if q)} µs" for row in shown
    )
    alt = f"Bar chart of the slowest layers with {comparison.baseline_side} and {comparison.candidate_side}. {told}."
    return Chart(f"layers-{comparison.anchor}", alt, rows, _legend(comparison))


def _operator_bars(row: ComparedOperator | ComparedLayer, roles: tuple[str, str]) -> tuple[Bar, ...]:
    return tuple(Bar(q.raw, q.text, role) for q, role in zip((row.baseline, row.candidate), roles, strict=True) if q)


def _legend(comparison: ComparisonView) -> tuple[tuple[str, str], ...]:
    return (
        (series(comparison.baseline_series), comparison.baseline_side),
        (series(comparison.candidate_series), comparison.candidate_side),
    )
