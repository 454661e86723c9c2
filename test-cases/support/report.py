# SPDX-License-Identifier: Apache-2.0
"""What tests of reports read from a run's report, and how they change its run."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

from model_profiling.analysis.summary import AnalysisSummary
from model_profiling.json_objects import JsonObject
from model_profiling.report.load import RunData
from model_profiling.report.words.advice import opportunity_json
from model_profiling.report.words.kernels import kernel_entry_json
from support.kit import kit
from support.numbers import XHTML, numbers_of, parse_page, text_of


def parsed(run: Path) -> ElementTree.Element:
    return parse_page(run / "report.html")


def words(run: Path) -> dict[str, str]:
    """Return both reports of a run as a reader sees them."""
    return {"HTML": text_of(parsed(run)), "Markdown": (run / "report.md").read_text(encoding="utf-8")}


def printed_numbers(run: Path) -> list[tuple[str, str, int]]:
    return [(number.text, number.path, number.places) for number in numbers_of(parsed(run))]


def report_anew(run: Path) -> None:
    kit("scripts/analyze_results.py", "--run-dir", run, "--quiet").ok()
    kit("scripts/generate_report.py", "--run-dir", run).ok()


def cells(row: ElementTree.Element) -> list[str]:
    return [text_of(cell).strip() for cell in row]


def rows_of(page: ElementTree.Element, label: str) -> list[ElementTree.Element]:
    """Return the body rows of the tables whose label begins so."""
    return [
        row
        for region in page.iter(f"{XHTML}div")
        if (region.get("aria-label") or "").startswith(label)
        for body in region.iter(f"{XHTML}tbody")
        for row in body.iter(f"{XHTML}tr")
    ]


def edit_summary(run: Path, change) -> None:
    """Change the analysis summary as another measurement would have, and report on it."""
    file = run / "analysis_summary.json"
    summary = json.loads(file.read_text())
    change(summary)
    file.write_text(json.dumps(summary))
    kit("scripts/generate_report.py", "--run-dir", run).ok()


def with_summary(run: RunData, change) -> RunData:
    """Return a run as read, its analysis summary changed as `edit_summary` does."""
    summary = run.summary.to_json(kernel_entry_json, opportunity_json)
    change(summary)
    return replace(run, summary=AnalysisSummary.from_json(JsonObject(summary, "in a test", "mend it")))
