# SPDX-License-Identifier: Apache-2.0
"""The stack from a PyTorch model to SME2 instructions, and where the kit looks into it."""

from __future__ import annotations

from model_profiling.report.svg import Drawing
from tools.figures.card import MARGIN, SMALL, WIDTH, Card
from tools.figures.data import load

_BOX, _HEIGHT, _GAP = 264, 58, 24


def stack(alt: str) -> Drawing:
    """Draw the layers from top to bottom; right of each, what the kit shows of it and with which command."""
    data = load("stack")
    layers, top = data["layers"], 58
    card = Card(top + len(layers) * (_HEIGHT + _GAP) - _GAP + MARGIN)
    notes = MARGIN + _BOX + 26
    card.text(MARGIN, 30, "From model to instruction", size=16, bold=True)
    card.text(notes, 30, "What the kit shows", size=16, bold=True)
    for number, layer in enumerate(layers):
        y = top + number * (_HEIGHT + _GAP)
        if number:
            _link(card, y, data["switch"] if layer["name"] == data["switch"]["above"] else None)
        deepest = number == len(layers) - 1
        card.panel(MARGIN, y, _BOX, _HEIGHT, "track", edge="on" if deepest else "rule", weight=2 if deepest else 1)
        card.text(MARGIN + 14, y + 20, layer["name"], size=16, bold=True)
        card.text(MARGIN + 14, y + 41, layer["does"], size=SMALL, role="muted")
        if layer["look"]:
            card.line(MARGIN + _BOX + 1, y + _HEIGHT / 2, notes - 8, y + _HEIGHT / 2, "on", 1.6)
            card.dot(notes - 8, y + _HEIGHT / 2, 7, "on")
            card.text(notes + 4, y + 20, layer["look"], size=SMALL)
            card.text(notes + 4, y + 41, layer["with"], size=SMALL, role="ondot", bold=True)
    return card.finish("stack", alt)


def _link(card: Card, y: float, switch: dict[str, str] | None) -> None:
    """Draw the arrow into the box at `y`, and the kit's switch where it acts."""
    middle = MARGIN + _BOX / 2
    if switch is None:
        card.arrow(middle, y - _GAP + 2, middle, y - 2)
        return
    card.arrow(middle, y - _GAP + 2, middle, y - 2, "third")
    card.text(middle + 16, y - _GAP / 2, switch["says"], size=SMALL, role="thirddot", bold=True)


def workflow(alt: str) -> Drawing:
    """Draw the four steps of a run from top to bottom: what each leaves, and the command that does it."""
    data = load("workflow")
    steps, top, height, gap = data["steps"], 150, 98, 28
    card = Card(top + len(steps) * (height + gap) - gap + MARGIN)
    card.heading(30, "From launches to a report")
    _pairs(card, 62, data["pairs"])
    middle = WIDTH / 2
    for number, step in enumerate(steps):
        y = top + number * (height + gap)
        card.arrow(middle, y - gap + 3, middle, y - 2)
        card.panel(MARGIN, y, WIDTH - 2 * MARGIN, height, "track", edge="rule")
        card.text(MARGIN + 16, y + 26, step["name"], size=16, bold=True)
        card.text(MARGIN + 16, y + 50, step["with"], size=SMALL, role="ondot", bold=True)
        for line, told in enumerate(step["says"]):
            card.text(MARGIN + 200, y + 25 + line * 24, told, size=SMALL)
    return card.finish("workflow", alt)


def _pairs(card: Card, y: float, pairs: list[list[str]]) -> None:
    """Draw the launches in the order they run, two to a pair, the order inside a pair left to a coin."""
    pitch = (WIDTH - 2 * MARGIN) / len(pairs)
    wide = (pitch - 18) / 2
    for number, pair in enumerate(pairs):
        x = MARGIN + number * pitch
        for place, side in enumerate(pair):
            card.panel(x + place * (wide + 3), y, wide, 30, side, radius=4)
        card.text(x + wide + 1.5, y + 47, f"pair {number + 1}", size=SMALL, role="muted", middle=True)
    card.panel(WIDTH - MARGIN - 152, 24, 13, 13, "off", radius=3)
    card.text(WIDTH - MARGIN - 134, 30, "off", size=SMALL)
    card.panel(WIDTH - MARGIN - 92, 24, 13, 13, "on", radius=3)
    card.text(WIDTH - MARGIN - 74, 30, "SME2 on", size=SMALL)
