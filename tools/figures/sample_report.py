# SPDX-License-Identifier: Apache-2.0
"""The first screen of a report, drawn from the reference run: what a reader's own will look like."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from model_profiling.files import read_json
from model_profiling.pipeline.run_directory import RunDirectory
from model_profiling.report.canvas import fitted, text_width
from model_profiling.report.compose import build_view
from model_profiling.report.load import RunData, read_run
from model_profiling.report.palette import series
from model_profiling.report.quantities import Quantity
from model_profiling.report.svg import Drawing
from model_profiling.report.view import ComparisonView, View
from tools import REPOSITORY
from tools.figures.card import BODY, MARGIN, SMALL, WIDTH, Card

_REFERENCE = REPOSITORY / "test-cases" / "fixtures" / "reference_run"
REFERENCE_RUN = RunDirectory(_REFERENCE / "mac")
#: The color of a verdict's number, by its tone.
_TONES = {"good": "fourthdot", "bad": "thirddot", "open": "ink"}
_ROW = 44


def reference_data() -> RunData:
    """Return the reference run as reports read it, with the export record that is committed beside it."""
    record: Any = read_json(_REFERENCE / "toy_cnn_xnnpack_fp16.json", "export record")
    return replace(read_run(REFERENCE_RUN), exports=(record,))


def sample_report(alt: str) -> Drawing:
    """Draw the heading, the verdict and the categories of the reference run's report."""
    view = build_view(reference_data(), "")
    comparison = view.comparisons[0]
    categories = comparison.breakdown.categories if comparison.breakdown else ()
    rows = [
        (row.name, (row.baseline, row.candidate))
        for row in categories
        if row.baseline and row.candidate and (row.baseline.raw or row.candidate.raw)
    ]
    top = 388
    card = Card(top + _ROW * len(rows) + 8)
    _title(card, view)
    _verdict(card, 112, view, comparison)
    card.text(MARGIN, top - 62, "Where the time goes", size=17, bold=True)
    card.legend(
        top - 32,
        [
            (series(comparison.baseline_series), comparison.baseline_side),
            (series(comparison.candidate_series), comparison.candidate_side),
        ],
    )
    longest = max(cell.raw for _, cells in rows for cell in cells)
    for number, (name, cells) in enumerate(rows):
        _category(card, top + number * _ROW, name, cells, comparison, longest)
    return card.finish("report", alt)


def _title(card: Card, view: View) -> None:
    card.text(MARGIN, 30, view.subtitle, size=SMALL, role="muted", bold=True)
    card.text(MARGIN, 57, fitted(view.title, WIDTH - 2 * MARGIN, 23), size=23, bold=True)
    card.text(MARGIN, 86, fitted(" · ".join(view.byline), WIDTH - 2 * MARGIN, SMALL * 0.92), size=SMALL, role="muted")


def _verdict(card: Card, y: float, view: View, comparison: ComparisonView) -> None:
    verdict, tone = comparison.verdict, _TONES[comparison.verdict.tone]
    card.panel(MARGIN, y, WIDTH - 2 * MARGIN, 192, "track", edge="rule")
    card.panel(MARGIN, y, WIDTH - 2 * MARGIN, 5, tone, radius=2)
    card.text(MARGIN + 18, y + 32, verdict.headline[:1].upper() + verdict.headline[1:], size=15.5, bold=True)
    card.text(MARGIN + 18, y + 78, f"{verdict.speedup.text}×", size=44, role=tone, bold=True)
    beside = MARGIN + 36 + len(verdict.speedup.text + "×") * 0.66 * 44
    assert verdict.low is not None and verdict.high is not None  # the reference run has pairs enough
    interval = f"95 % interval {verdict.low.text} to {verdict.high.text}"
    card.text(beside, y + 68, interval, size=BODY)
    card.text(beside, y + 92, f"{verdict.pairs.text} pairs of launches in random order", size=SMALL, role="muted")
    card.line(MARGIN + 18, y + 118, WIDTH - MARGIN - 18, y + 118, "rule")
    times = {arm.experiment: arm.time.text for arm in view.experiments}
    told = [
        f"One inference: {times[comparison.baseline]} ms with {comparison.baseline_side}, "
        f"{times[comparison.candidate]} ms with {comparison.candidate_side}.",
        *view.switched[:2],
    ]
    for number, line in enumerate(told):
        card.text(MARGIN + 18, y + 136 + 20 * number, fitted(line, WIDTH, SMALL * 0.9), size=SMALL)


def _category(
    card: Card, y: float, name: str, cells: tuple[Quantity, Quantity], comparison: ComparisonView, longest: float
) -> None:
    left = MARGIN + 164
    scale = (WIDTH - MARGIN - left - text_width("00.000 ms", SMALL) - 8) / longest
    card.text(MARGIN, y + 16, name, size=BODY)
    indices = (comparison.baseline_series, comparison.candidate_series)
    for lane, (cell, index) in enumerate(zip(cells, indices, strict=True)):
        length = max(cell.raw * scale, 1.5)
        card.box(left, y + lane * 17, length, 15, series(index))
        card.text(left + length + 7, y + lane * 17 + 7.5, f"{cell.text} ms", size=SMALL)
