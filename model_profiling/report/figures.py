# SPDX-License-Identifier: Apache-2.0
"""The report's figures, each drawn for a wide and for a narrow page.

Bars begin at zero and carry their value, so they need no axis. Wide figures have their
labels in a column on the left, narrow ones above the bars.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from model_profiling.report.canvas import Canvas, fitted, text_width
from model_profiling.report.svg import Drawing

WIDE, NARROW = 880, 350
_LABELS = 264  # the wide figure's label column
_GAP = 15  # between rows
_SEAM = 2  # between the bars of a row
_LANE = 30  # height of one ratio


@dataclass(frozen=True)
class Bar:
    """One bar: its value and how it is printed, the color's role, and what scatters around it."""

    value: float
    text: str
    role: str
    dots: tuple[float, ...] = ()
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class BarRow:
    """Bars that belong together under one label; `note` stands beside or below the label."""

    label: str
    note: str
    bars: tuple[Bar, ...]


@dataclass(frozen=True)
class Chart:
    """What a figure shows. `legend` pairs a color's role with its name.

    `whole` is the value of which bars are parts: they then lie on a track of that length.
    """

    name: str
    alt: str
    rows: tuple[BarRow, ...]
    legend: tuple[tuple[str, str], ...] = ()
    thickness: int = 14
    whole: float | None = None


@dataclass(frozen=True)
class Drawable:
    """A chart with what paints it at a width, and what its caption says."""

    chart: Chart
    painter: Callable[[Chart, int], Drawing]
    caption: str


def draw(chart: Chart, painter: Callable[[Chart, int], Drawing]) -> tuple[Drawing, Drawing]:
    """Return the figure for a wide and for a narrow page."""
    return painter(chart, WIDE), painter(chart, NARROW)


def bars(chart: Chart, width: int) -> Drawing:
    """Draw horizontal bars from zero: one group for each row, launches as dots over their bar."""
    wide = width >= WIDE
    left = _LABELS if wide else 0
    top = legend_height(chart, width)
    heights = [_body(row, chart.thickness + _SEAM, wide) for row in chart.rows]
    canvas = Canvas(width, int(top + sum(heights)))
    legend(canvas, chart)
    widest = max((text_width(bar.text, 13) for row in chart.rows for bar in row.bars), default=0)
    room = width - left - widest - 16
    scale = _scale(chart.rows, room) if chart.whole is None else room / chart.whole
    y = top
    for row, height in zip(chart.rows, heights, strict=True):
        bar_y = _label(canvas, row, y, height - _GAP, wide)
        for bar in row.bars:
            if chart.whole is not None:
                canvas.box(left, bar_y, chart.whole * scale, chart.thickness, "track")
            _bar(canvas, bar, left, bar_y, chart.thickness, scale, chart.whole or 0.0)
            bar_y += chart.thickness + _SEAM
        y += height
    return canvas.finish(chart.name, chart.alt)


def intervals(chart: Chart, width: int) -> Drawing:
    """Draw ratios around 1, on a logarithmic scale: pairs as dots, the estimate as a tick in its interval.

    On that scale twice as fast and half as fast lie equally far from 1, and an interval
    reaches equally far to both sides.
    """
    wide = width >= WIDE
    left = _LABELS if wide else 0
    heights = [_body(row, _LANE, wide) for row in chart.rows]
    bottom = sum(heights)
    canvas = Canvas(width, int(bottom + 26))
    widest = max((text_width(bar.text, 13) for row in chart.rows for bar in row.bars), default=0)
    low, high = _ratio_range(chart.rows)
    room = width - left - widest - 34

    def place(ratio: float) -> float:
        return left + 8 + (math.log(ratio) - low) / (high - low) * room

    y = 0.0
    for row, height in zip(chart.rows, heights, strict=True):
        lane_y = _label(canvas, row, y, height - _GAP, wide)
        canvas.line(place(1), y if wide else lane_y, place(1), y + height, "muted", 1)
        for bar in row.bars:
            _interval(canvas, bar, place, lane_y + _LANE / 2)
            canvas.text(width - 2, lane_y + _LANE / 2, bar.text, bold=True, right=True)
            lane_y += _LANE
        y += height
    canvas.text(place(1), bottom + 13, "1×: no difference", size=12, role="muted", middle=place(1) - left > 60)
    return canvas.finish(chart.name, chart.alt)


def _body(row: BarRow, lane: float, wide: bool) -> float:
    """Return the height of a row whose bars take `lane` pixels each."""
    height = len(row.bars) * lane
    return (max(height, 34 if row.note else 18) if wide else height + (42 if _stacked(row) else 24)) + _GAP


def _stacked(row: BarRow) -> bool:
    """Return whether a narrow figure has room for a row's note below its label only."""
    return bool(row.note) and text_width(row.label, 13) + text_width(row.note, 12) + 14 > NARROW


def _label(canvas: Canvas, row: BarRow, y: float, height: float, wide: bool) -> float:
    """Write a row's label and return where its first bar begins."""
    if wide:
        middle = y + height / 2 - (8 if row.note else 0)
        canvas.text(0, middle, fitted(row.label, _LABELS - 20, 13))
        if row.note:
            canvas.text(0, middle + 17, fitted(row.note, _LABELS - 20, 12), size=12, role="muted")
        return y
    if _stacked(row):
        canvas.text(0, y + 10, fitted(row.label, canvas.width, 13))
        canvas.text(0, y + 27, fitted(row.note, canvas.width, 12), size=12, role="muted")
        return y + 42
    note_width = text_width(row.note, 12) + 14 if row.note else 0
    canvas.text(0, y + 10, fitted(row.label, canvas.width - note_width, 13))
    if row.note:
        canvas.text(canvas.width, y + 10, row.note, size=12, role="muted", right=True)
    return y + 24


def _bar(canvas: Canvas, bar: Bar, left: float, y: float, thick: float, scale: float, reach: float) -> None:
    """Draw one bar; its text stands behind all of it, or at `reach` where that is farther."""
    canvas.box(left, y, max(bar.value * scale, 1), thick, bar.role)
    middle, reach = y + thick / 2, max(reach, bar.value)
    if bar.low is not None and bar.high is not None:
        canvas.line(left + bar.low * scale, middle, left + bar.high * scale, middle, bar.role + "dot", 1.6)
        reach = max(reach, bar.high)
    for number, dot in enumerate(bar.dots):
        # A fixed zigzag keeps launches with equal medians apart and the file reproducible.
        canvas.dot(left + dot * scale, middle + (number % 3 - 1) * thick / 4, 4.6, bar.role + "dot")
    reach = max((reach, *bar.dots))
    canvas.text(left + reach * scale + 8, middle, bar.text)


def _interval(canvas: Canvas, bar: Bar, place: Callable[[float], float], y: float) -> None:
    if bar.low is not None and bar.high is not None:
        canvas.line(place(bar.low), y, place(bar.high), y, bar.role, 9)
    for number, dot in enumerate(bar.dots):
        canvas.dot(place(dot), y + (number % 3 - 1) * 5, 4.4, bar.role + "dot")
    canvas.line(place(bar.value), y - 9, place(bar.value), y + 9, "ink", 2.4)


def _scale(rows: Sequence[BarRow], room: float) -> float:
    longest = max((max((bar.value, bar.high or 0, *bar.dots)) for row in rows for bar in row.bars), default=0)
    return room / longest if longest > 0 else 0.0


def _ratio_range(rows: Sequence[BarRow]) -> tuple[float, float]:
    """Return the logarithms between which all ratios, and 1, have room."""
    seen = [1.0]
    for bar in (bar for row in rows for bar in row.bars):
        seen += [bar.value, *bar.dots, *(end for end in (bar.low, bar.high) if end is not None)]
    low, high = math.log(min(seen)), math.log(max(seen))
    margin = max(0.05 * (high - low), 0.01)
    return low - margin, high + margin


def legend_height(chart: Chart, width: int) -> float:
    """Return how much of a figure's top its legend takes."""
    return len(_legend_lines(chart, width)) * 22 + 12 if chart.legend else 0


def _legend_lines(chart: Chart, width: int) -> list[list[tuple[str, str]]]:
    lines: list[list[tuple[str, str]]] = [[]]
    used = 0.0
    for role, name in chart.legend:
        name = fitted(name, width - 24, 12.5)
        needed = text_width(name, 12.5) + 40
        if lines[-1] and used + needed > width:
            lines.append([])
            used = 0.0
        lines[-1].append((role, name))
        used += needed
    return lines


def legend(canvas: Canvas, chart: Chart) -> None:
    """Write the names of a chart's colors at the top."""
    for number, line in enumerate(_legend_lines(chart, canvas.width) if chart.legend else []):
        x, y = 0.0, number * 22 + 9
        for role, name in line:
            canvas.box(x, y - 6, 12, 12, role)
            canvas.text(x + 18, y, name, size=12.5)
            x += text_width(name, 12.5) + 40
