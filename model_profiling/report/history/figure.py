# SPDX-License-Identifier: Apache-2.0
"""The figure of a series: a panel for each metric, runs from left to right, levels as lines, changes marked."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from model_profiling.analysis.history.metrics import LATENCY, METRICS, TrendMetric
from model_profiling.analysis.history.trends import LevelChange, Trend
from model_profiling.report.canvas import Canvas, text_width
from model_profiling.report.figures import WIDE, Chart, Drawable
from model_profiling.report.svg import Drawing
from model_profiling.report.words import history as words
from model_profiling.wording import count

_LABELS = {True: 190, False: 0}  # of a wide and of a narrow figure
_RIGHT = 12
_TOP, _BOTTOM = 22, 26
_TALL, _LOW = 120, 34  # heights of the latency's panel and of the others
_GAP = 24
_SMALL = 12
#: A panel spans at least this share of its values, so that noise does not fill it.
_LEAST_SPAN = 0.06
#: Farther digits of a path's points are invisible, and 500 runs have many.
_DIGITS, _PATH = re.compile(rb"(\d\.\d)\d+"), re.compile(rb' d="[^"]*"')


@dataclass(frozen=True)
class _Panel:
    metric: TrendMetric
    places: tuple[int, ...]
    values: tuple[float, ...]
    changes: tuple[LevelChange, ...]
    top: float
    height: float


def drawable(number: int, trend: Trend, name: str) -> Drawable:
    """Return the figure of a series."""
    newest = trend.points[-1].row
    told = "; ".join(
        f"{words.title_of(metric)} {words.value_text(metric, value)}"
        for metric in METRICS
        if (value := metric.value(newest)) is not None
    )
    changes = "; ".join(
        f"{words.title_of(c.metric)} {words.percent_text(c)} at {words.when(trend.points[c.place].run.started)}"
        for c in trend.changes
    )
    alt = f"Trend of {name} over {len(trend.points)} runs. Newest: {told}. Changes: {changes or 'none'}."
    chart = Chart(f"trend-{number + 1}", alt, ())
    caption = f"{count(len(trend.points), 'run')} in the order of their times, all as far apart."
    return Drawable(chart, lambda chart, width: _paint(chart, trend, width), caption)


def _paint(chart: Chart, trend: Trend, width: int) -> Drawing:
    wide = width >= WIDE
    panels = _panels(trend, wide)
    bottom = panels[-1].top + panels[-1].height
    canvas = Canvas(width, int(bottom + _BOTTOM))
    left, right = _LABELS[wide] + 8, width - _RIGHT
    last = max(len(trend.points) - 1, 1)

    def across(place: float) -> float:
        return left + place / last * (right - left)

    for panel in panels:
        _panel(canvas, panel, trend, across, wide)
    first, newest = (words.when(point.run.started)[:10] for point in (trend.points[0], trend.points[-1]))
    canvas.text(left, bottom + 15, first, size=_SMALL, role="muted")
    if newest != first:
        canvas.text(right, bottom + 15, newest, size=_SMALL, role="muted", right=True)
    drawing = canvas.finish(chart.name, chart.alt)
    return replace(drawing, raw=_PATH.sub(lambda found: _DIGITS.sub(rb"\1", found[0]), drawing.raw))


def _panels(trend: Trend, wide: bool) -> list[_Panel]:
    panels: list[_Panel] = []
    top = float(_TOP)
    for metric in METRICS:
        known = [(i, value) for i, p in enumerate(trend.points) if (value := metric.value(p.row)) is not None]
        if not known:
            continue
        height = _TALL if metric is LATENCY else _LOW
        own = tuple(change for change in trend.changes if change.metric is metric)
        top += 0 if wide else 34 if metric is LATENCY else 16
        panels.append(_Panel(metric, tuple(i for i, _ in known), tuple(v for _, v in known), own, top, height))
        top += height + _GAP
    return panels


def _panel(canvas: Canvas, panel: _Panel, trend: Trend, across: Callable[[float], float], wide: bool) -> None:
    rows = [trend.points[place].row for place in panel.places]
    ends = [end for row in rows for end in (row.low_ms, row.high_ms) if end is not None and panel.metric is LATENCY]
    low, high = _range(panel.values, ends)

    def down(value: float) -> float:
        inside = min(max(value, low), high)
        return panel.top + panel.height - (inside - low) / (high - low) * panel.height

    start, end = across(0), across(max(len(trend.points) - 1, 1))
    for edge in (panel.top, panel.top + panel.height):
        canvas.line(start - 6, edge, end + 6, edge, "rule")
    _title(canvas, panel, wide)
    if wide and panel.metric is LATENCY:
        for value, edge in ((high, panel.top), (low, panel.top + panel.height)):
            canvas.text(start - 14, edge, words.number(LATENCY, value, 3), size=_SMALL, role="muted", right=True)
    role = "off" if trend.key.off else "on"
    if panel.metric is LATENCY:
        bounded = [
            (across(place), down(row.low_ms), down(row.high_ms))
            for place, row in zip(panel.places, rows, strict=True)
            if row.low_ms is not None and row.high_ms is not None
        ]
        canvas.uprights(bounded, role, 2)
    dots = [(across(place), down(value)) for place, value in zip(panel.places, panel.values, strict=True)]
    canvas.dots(dots, 4.6 if panel.metric is LATENCY else 3.4, f"{role}dot")
    _changes(canvas, panel, across, down)


def _range(values: Sequence[float], ends: Sequence[float]) -> tuple[float, float]:
    """Return what a panel spans: all values, and intervals as far as they do not dwarf these."""
    low, high = min(values), max(values)
    room = max(high - low, _LEAST_SPAN * max(abs(high), abs(low)), math.ulp(1.0))
    low, high = (
        min([low, *(max(end, low - room) for end in ends)]),
        max([high, *(min(end, high + room) for end in ends)]),
    )
    middle, half = (low + high) / 2, max(high - low, room) / 2 * 1.1
    return middle - half, middle + half


def _title(canvas: Canvas, panel: _Panel, wide: bool) -> None:
    title = words.title_of(panel.metric)
    shown = words.value_text(panel.metric, panel.values[-1])
    if wide:
        middle = panel.top + panel.height / 2
        canvas.text(0, middle - 8, title[:1].upper() + title[1:], size=13)
        canvas.text(0, middle + 9, shown, size=_SMALL, role="muted")
    else:
        above = panel.top - (29 if panel.metric is LATENCY else 11)  # changes of latency stand between
        canvas.text(0, above, title[:1].upper() + title[1:], size=13)
        canvas.text(canvas.width, above, shown, size=_SMALL, role="muted", right=True)


def _changes(canvas: Canvas, panel: _Panel, across: Callable[[float], float], down: Callable[[float], float]) -> None:
    """Draw the level of each stretch between changes, and each change with its size."""
    edges = [panel.places[0], *(change.place for change in panel.changes), panel.places[-1] + 1]
    levels = [panel.changes[0].shift.before] if panel.changes else []
    levels += [change.shift.after for change in panel.changes]
    for level, start, end in zip(levels, edges, edges[1:], strict=False):
        canvas.line(across(start - 0.3), down(level), across(end - 0.7), down(level), "ink", 1.4)
    taken = -math.inf
    for change in panel.changes:
        x, role = across(change.place - 0.5), "third" if change.worse_percent > 0 else "fourth"
        canvas.line(x, panel.top, x, panel.top + panel.height, role, 1.6)
        label = words.percent_text(change)
        half = text_width(label, _SMALL) / 2
        middle = min(max(x, half), canvas.width - half)
        if middle - half > taken:
            above = panel.top - 9 if panel.metric is LATENCY or canvas.width >= WIDE else panel.top + panel.height + 10
            canvas.text(middle, above, label, size=_SMALL, role=f"{role}dot", bold=True, middle=True)
            taken = middle + half + 6
