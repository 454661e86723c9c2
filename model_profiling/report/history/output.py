# SPDX-License-Identifier: Apache-2.0
"""Writing a history: one page as HTML with figures, or its tables as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from model_profiling.analysis.history.rows import RecordedRun
from model_profiling.analysis.history.trends import Trend
from model_profiling.files import write_text
from model_profiling.report.charts import drawn
from model_profiling.report.generate import kind_of
from model_profiling.report.history.figure import drawable
from model_profiling.report.history.sections import history_sections
from model_profiling.report.history.view import History, history_view
from model_profiling.report.html import render_sections
from model_profiling.report.markdown import MarkdownPage
from model_profiling.report.words import history as words

#: Series that get a figure: more make a page that no browser scrolls well.
MOST_FIGURES = 40


def write_history(
    outs: Sequence[Path],
    runs: Sequence[RecordedRun],
    trends: Sequence[Trend],
    faults: Mapping[str, str],
    left_out: Sequence[str],
) -> tuple[Path, ...]:
    """Write the pages of a history, .html or .md, and return them; everything is rendered before any is written.

    Raises
    ------
    UserError : a target that is neither HTML nor Markdown, or that cannot be written.
    """
    texts = [_rendered(out, History(runs, trends, faults, left_out, _figured(trends), out.parent)) for out in outs]
    return tuple(write_text(out, text) for out, text in zip(outs, texts, strict=True))


def _rendered(out: Path, history: History) -> str:
    view, trends = history_view(history), history.trends
    drawables = [
        (view.series[number], drawable(number, trends[number], ", ".join(history.names[trends[number].key])))
        for number in sorted(history.drawn)
    ]
    sections = history_sections(view, drawables)
    shared = words.shared_parts([trend.key for trend in trends])
    if kind_of(out) == "markdown":
        return MarkdownPage({}, "").sections("history.md.j2", sections, view=view, shared=shared)
    figures = drawn([one for _, one in drawables])
    return render_sections("history.html.j2", sections, figures, view=view, shared=shared)


def _figured(trends: Sequence[Trend]) -> frozenset[int]:
    """Return which series are drawn: those that changed come first, then those of most runs; one run is no trend."""
    several = [number for number, trend in enumerate(trends) if len(trend.points) > 1]
    several.sort(key=lambda number: (not trends[number].changes, -len(trends[number].points)))
    return frozenset(several[:MOST_FIGURES])
