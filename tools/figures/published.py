# SPDX-License-Identifier: Apache-2.0
"""The published result: latency and categories of SqueezeSAM with SME2 off and on."""

from __future__ import annotations

from typing import Any

from model_profiling.report.canvas import text_width
from model_profiling.report.svg import Drawing
from model_profiling.rounding import fixed
from model_profiling.wording import count
from tools.figures.card import BODY, MARGIN, SMALL, WIDTH, Card
from tools.figures.data import load

SIDES = ("off", "on")
_LEGEND = [("off", "SME2 off"), ("on", "SME2 on")]
_LABELS = 128  # width of the label column
_RATIOS = 74  # width of the column of ratios


def published_latency(alt: str) -> Drawing:
    """Draw latency on both sides for each dtype and number of cores, with the ratio of the two."""
    data = load("published_squeezesam")
    rows, top, step = data["latency_ms"], 118, 62
    card = Card(top + step * len(rows) + 6)
    card.heading(30, f"Latency of one {data['model']} inference, in ms", _origin(data))
    card.legend(82, _LEGEND)
    left, right = MARGIN + _LABELS, WIDTH - MARGIN - _RATIOS
    scale = (right - left - 58) / max(row[side] for row in rows for side in SIDES)
    card.text(WIDTH - MARGIN, 82, "speed-up", size=SMALL, role="muted", right=True)
    for number, row in enumerate(rows):
        y = top + number * step
        card.text(MARGIN, y + 14, row["dtype"], size=BODY, bold=True)
        card.text(MARGIN, y + 34, count(row["cores"], "core"), size=SMALL, role="muted")
        for lane, side in enumerate(SIDES):
            _bar(card, left, y + 4 + lane * 22, 20, row[side] * scale, side, f"{row[side]:,}")
        card.text(WIDTH - MARGIN, y + 25, f"{row['off'] / row['on']:.2f}×", size=17, bold=True, right=True)
    return card.finish("published-latency", alt)


def published_categories(alt: str) -> Drawing:
    """Draw the time of every category on both sides, and beside it the share of the whole."""
    data = load("published_squeezesam")
    dtypes, names = list(data["categories_ms"]), list(next(iter(data["categories_ms"].values())))
    top, step, gap = 136, 45, 44
    card = Card(top + len(dtypes) * (step * len(names) + gap) - gap + 8)
    card.heading(30, f"Where the time goes: {data['model']}, {count(data['categories_cores'], 'core')}", _origin(data))
    card.legend(82, _LEGEND)
    longest = max(times[side] for held in data["categories_ms"].values() for times in held.values() for side in SIDES)
    for block, dtype in enumerate(dtypes):
        y = top + block * (step * len(names) + gap)
        _categories(card, y, dtype, data["categories_ms"][dtype], longest, step)
    return card.finish("published-categories", alt)


def _categories(
    card: Card, y: float, dtype: str, held: dict[str, dict[str, float]], longest: float, step: float
) -> None:
    left, right = MARGIN + _LABELS, WIDTH - MARGIN - 128
    scale = (right - left - 56) / longest
    totals = {side: sum(times[side] for times in held.values()) for side in SIDES}
    card.text(MARGIN, y - 18, dtype, size=16, bold=True)
    card.text(left, y - 18, "time in ms", size=SMALL, role="muted")
    card.text(WIDTH - MARGIN, y - 18, "share of the time", size=SMALL, role="muted", right=True)
    for number, (name, times) in enumerate(held.items()):
        row_y = y + number * step
        card.text(MARGIN, row_y + 18, name, size=BODY)
        for lane, side in enumerate(SIDES):
            _bar(card, left, row_y + 2 + lane * 17, 15, times[side] * scale, side, fixed(times[side], 1))
        shares = [100 * times[side] / totals[side] for side in SIDES]
        largest = times["on"] == max(other["on"] for other in held.values())
        card.text(
            WIDTH - MARGIN, row_y + 18, f"{shares[0]:.0f} % → {shares[1]:.0f} %", size=BODY, bold=largest, right=True
        )
    card.line(MARGIN, y - 36, WIDTH - MARGIN, y - 36, "rule")


def _bar(card: Card, x: float, y: float, thickness: float, length: float, role: str, text: str) -> None:
    card.box(x, y, max(length, 1.5), thickness, role)
    card.text(x + max(length, 1.5) + 7, y + thickness / 2, text, size=SMALL)


def _origin(data: dict[str, Any]) -> str:
    """Say whose numbers these are, inside the figure, because figures travel alone."""
    told = (
        f"Published by {data['source']['publisher']}, {data['source']['date']}: {data['device']}, {data['conditions']}"
    )
    assert text_width(told, SMALL) < 1.12 * (WIDTH - 2 * MARGIN), told
    return told
