# SPDX-License-Identifier: Apache-2.0
"""Writing a combined report: its figures, and the page as HTML or Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from model_profiling.files import write_text
from model_profiling.report import figures
from model_profiling.report.charts import Figure, drawn, ratio_bar
from model_profiling.report.combined import build_combined, read_runs
from model_profiling.report.combined_sections import COMBINED_SECTIONS
from model_profiling.report.combined_view import CombinedView
from model_profiling.report.figures import Bar, BarRow, Chart, Drawable
from model_profiling.report.generate import WrittenReport, as_link, kind_of, write_figures
from model_profiling.report.html import render_sections
from model_profiling.report.markdown import MarkdownPage
from model_profiling.report.palette import series
from model_profiling.report.quantities import plain
from model_profiling.report.section import ReportSection
from model_profiling.wording import count


def generate_combined_report(folders: Sequence[Path], out: Path) -> WrittenReport:
    """Write one report of several analyzed runs; `out` ends in .html or .md.

    Raises
    ------
    UserError : as `read_runs`, or a target that is neither HTML nor Markdown.
    """
    kind = kind_of(out)
    view = build_combined(read_runs(folders))
    sections = [make(view) for make in COMBINED_SECTIONS]
    drawings = combined_figures(view, sections)
    if kind == "html":
        files = [write_text(out, render_sections("combined.html.j2", sections, drawings, view=view))]
    else:
        folder = out.with_name(f"{out.stem}_figures")
        text = MarkdownPage(drawings, as_link(folder.name)).sections("combined.md.j2", sections, view=view)
        files = [write_text(out, text), *write_figures(folder, drawings)]
    return WrittenReport(tuple(files), tuple(map(plain, view.summary)))


def combined_figures(view: CombinedView, sections: Sequence[ReportSection]) -> dict[str, Figure]:
    """Draw the figures of a combined report: those of the whole, and each section's own."""
    drawables = [
        Drawable(
            _latency(view), figures.bars, "Time of one inference, by run and thread count. Each dot is one launch."
        )
    ]
    if view.comparisons:
        drawables.append(
            Drawable(
                _speedups(view),
                figures.intervals,
                "Speed-up within each run: pairs of launches (dots), the estimate (tick) and its 95 % "
                "interval (band), on a logarithmic scale.",
            )
        )
    return drawn([*drawables, *(one for section in sections if section.shown for one in section.figures())])


def _latency(view: CombinedView) -> Chart:
    rows: list[BarRow] = []
    legend: dict[str, dict[str, None]] = {}
    for label, threads in dict.fromkeys((row.label, row.experiment.threads) for row in view.experiments):
        own = [x.experiment for x in view.experiments if (x.label, x.experiment.threads) == (label, threads)]
        bars = (Bar(row.time.raw, f"{row.time.text} ms", series(row.series), row.dots) for row in own)
        rows.append(BarRow(label, count(threads, "thread"), tuple(bars)))
        for row in own:
            legend.setdefault(series(row.series), {})[row.side] = None
    told = "; ".join(
        f"{x.label}, {x.experiment.side}, {count(x.experiment.threads, 'thread')}: {x.experiment.time.text} ms"
        for x in view.experiments
    )
    return Chart(
        "combined-latency",
        f"Bar chart of latency by run. {told}.",
        tuple(rows),
        tuple((role, " / ".join(sides)) for role, sides in legend.items()),
        thickness=18,
    )


def _speedups(view: CombinedView) -> Chart:
    rows = tuple(
        BarRow(
            row.label,
            f"{row.comparison.candidate_side}, {count(row.comparison.threads, 'thread')}",
            (ratio_bar(row.comparison),),
        )
        for row in view.comparisons
    )
    told = "; ".join(
        f"{row.label}, {row.comparison.title}: {row.comparison.verdict.speedup.text}×" for row in view.comparisons
    )
    return Chart("combined-speedup", f"Dot plot of the speed-up within each run. {told}.", rows)
