# SPDX-License-Identifier: Apache-2.0
"""Writing a combined report: its figures, and the page as HTML or Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from model_profiling.files import write_text
from model_profiling.report import figures
from model_profiling.report.charts import Figure, drawn, ratio_bar
from model_profiling.report.combined import build_combined, read_runs
from model_profiling.report.combined_view import CombinedView
from model_profiling.report.figures import Bar, Chart, Drawable, Row
from model_profiling.report.generate import Outcome, as_link, kind_of, write_figures
from model_profiling.report.html import render_page
from model_profiling.report.markdown import MarkdownPage
from model_profiling.report.palette import series
from model_profiling.report.quantities import plain
from model_profiling.wording import count

_SECTIONS = (("runs", "Runs"), ("latency", "Latency"), ("speedups", "Speed-up"), ("shares", "Where the time goes"))


def generate_combined_report(folders: Sequence[Path], out: Path) -> Outcome:
    """Write one report of several analyzed runs; `out` ends in .html or .md.

    Raises
    ------
    UserError : as `read_runs`, or a target that is neither HTML nor Markdown.
    """
    kind = kind_of(out)
    view = build_combined(read_runs(folders))
    drawings = combined_figures(view)
    if kind == "html":
        sections = [(anchor, name) for anchor, name in _SECTIONS if _holds(view, anchor)]
        files = [write_text(out, render_page("combined.html.j2", view=view, figures=drawings, sections=sections))]
    else:
        folder = out.with_name(f"{out.stem}_figures")
        text = MarkdownPage(drawings, as_link(folder.name)).rendered("combined.md.j2", view=view)
        files = [write_text(out, text), *write_figures(folder, drawings)]
    return Outcome(tuple(files), tuple(map(plain, view.summary)))


def _holds(view: CombinedView, anchor: str) -> bool:
    return {"speedups": bool(view.comparisons), "shares": bool(view.shares)}.get(anchor, True)


def combined_figures(view: CombinedView) -> dict[str, Figure]:
    """Draw the figures of a combined report."""
    drawables = [
        Drawable(
            _latency(view),
            figures.bars,
            "Median latency of one inference, by run and thread count. Each dot is the median of one launch.",
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
    return drawn(drawables)


def _latency(view: CombinedView) -> Chart:
    rows, legend = [], {}
    for label, threads in dict.fromkeys((row.label, row.experiment.threads) for row in view.experiments):
        arms = [row.experiment for row in view.experiments if (row.label, row.experiment.threads) == (label, threads)]
        rows.append(
            Row(
                label,
                count(threads, "thread"),
                tuple(Bar(arm.median.raw, f"{arm.median.text} ms", series(arm.series), arm.dots) for arm in arms),
            )
        )
        for arm in arms:
            legend.setdefault(series(arm.series), {})[arm.side] = None
    told = "; ".join(
        f"{row.label}, {row.experiment.side}, {count(row.experiment.threads, 'thread')}: {row.experiment.median.text} ms"
        for row in view.experiments
    )
    return Chart(
        "combined-latency",
        f"Bar chart of median latency by run. {told}.",
        tuple(rows),
        tuple((role, " / ".join(sides)) for role, sides in legend.items()),
        thickness=18,
    )


def _speedups(view: CombinedView) -> Chart:
    rows = tuple(
        Row(
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
