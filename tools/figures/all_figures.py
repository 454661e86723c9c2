# SPDX-License-Identifier: Apache-2.0
"""Every figure of the pages and the sample report, rendered in memory: what `images/` must hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from model_profiling.report.charts import figures_of
from model_profiling.report.compose import build_view
from model_profiling.report.html import render_html
from model_profiling.report.markdown import render_markdown
from model_profiling.report.svg import Drawing
from tools.figures.data import texts
from tools.figures.drift import pairs_and_drift
from tools.figures.kernel_evidence import kernel_evidence
from tools.figures.published import published_categories, published_latency
from tools.figures.sample_report import REFERENCE_RUN, reference_data, sample_report
from tools.figures.stack import stack, workflow

#: File name without suffix -> what draws it, given the alternative text.
FIGURES: Mapping[str, Callable[[str], Drawing]] = {
    "published-latency": published_latency,
    "published-categories": published_categories,
    "stack": stack,
    "workflow": workflow,
    "pairs-and-drift": pairs_and_drift,
    "kernel-evidence": kernel_evidence,
    "report": sample_report,
}
#: The reference run's directory as its reports name it: where it was recorded.
RECORDED_AS = "out_toy_cnn/runs/mac"


def figures() -> dict[str, str]:
    """Return the SVG text of every figure, by file name."""
    told = texts()
    return {f"{name}.svg": draw(told[name].alt).file_text() + "\n" for name, draw in FIGURES.items()}


def reports() -> dict[Path, str]:
    """Return the sample report in both forms with its figures, by path: made anew from the reference run."""
    directory = REFERENCE_RUN
    view = build_view(reference_data(), RECORDED_AS)
    drawn = figures_of(view)
    made = {
        directory.report_html: render_html(view, drawn),
        directory.report_md: render_markdown(view, drawn, directory.figures.name),
    }
    return made | {directory.figures / f"{name}.svg": figure.wide.file_text() for name, figure in drawn.items()}
