# SPDX-License-Identifier: Apache-2.0
"""Writing what a sweep came to: the summary, the table, and the page."""

from __future__ import annotations

from pathlib import Path

from model_profiling.analysis.sweeping.summary import SweepSummary
from model_profiling.analysis.tables.sweep import sweep_csv
from model_profiling.files import write_bytes, write_json, write_text
from model_profiling.report.html import own_file, render_sections
from model_profiling.report.sweep_sections import SWEEP_SECTIONS
from model_profiling.report.sweep_view import build_sweep_view


def write_sweep(summary: SweepSummary, target: Path, table: Path, page: Path) -> None:
    """Write the results of a sweep; links of the page are relative to its own folder."""
    text = sweep_page(summary)
    write_json(target, summary.to_json())
    write_bytes(table, sweep_csv(summary.cells))
    write_text(page, text)


def sweep_page(summary: SweepSummary) -> str:
    """Return the page of a sweep as HTML."""
    view = build_sweep_view(summary)
    sections = [make(view) for make in SWEEP_SECTIONS]
    own = {"own_style": own_file("sweep.css"), "filter_script": own_file("sweep.js")}
    return render_sections("sweep.html.j2", sections, {}, view=view, **own)
