# SPDX-License-Identifier: Apache-2.0
"""A figure of options by two costs, both on logarithmic scales: less is better, so the best lie below and left."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from model_profiling.report.canvas import Canvas, text_width
from model_profiling.report.figures import WIDE, Chart
from model_profiling.report.svg import Drawing

_LEFT, _BOTTOM, _TOP = 86, 46, 34
_HEIGHT = {True: 380, False: 330}  # of a wide and of a narrow figure
_SMALL = 12
_DOT = 9.0
#: Between the bands of options at one height.
_LANE = 7.0
#: Between two decades these are labeled too where there are few.
_STEPS = (1, 2, 5)
_FEW = 3


@dataclass(frozen=True)
class TradeoffPoint:
    """An option: its number, its name where there is room, its two costs and the first one's interval."""

    number: str
    name: str
    x: float
    y: float
    low: float | None
    high: float | None
    best: bool


@dataclass(frozen=True)
class Tradeoff:
    """The options, and what the axes are; `y_unit` stands behind the numbers of the vertical one."""

    points: tuple[TradeoffPoint, ...]
    x_title: str
    y_title: str
    y_unit: str


def paint(plot: Tradeoff, chart: Chart, width: int) -> Drawing:
    """Draw the options; of the chart its name, its text for those who see no figure and its legend are used."""
    height = _HEIGHT[width >= WIDE]
    canvas = Canvas(width, height)
    seen = [end for p in plot.points for end in (p.low, p.x, p.high) if end is not None]
    x = _axis(seen, _LEFT, width - 24)
    y = _axis([p.y for p in plot.points], height - _BOTTOM, _TOP + 12)
    _grid(canvas, plot, x, y)
    used = 0.0
    for role, name in chart.legend:
        canvas.dot(_LEFT + used + 5, 9, _DOT, role)
        canvas.text(_LEFT + used + 16, 9, name, size=12.5)
        used += text_width(name, 12.5) + 40
    spots = _spots(plot, x, y)
    for point, (across, down) in sorted(spots, key=lambda spot: spot[0].best):
        role = "on" if point.best else "off"
        if point.low is not None and point.high is not None:
            canvas.line(x.place(point.low), down, x.place(point.high), down, role, 2)
        canvas.dot(across, down, _DOT, role)
    _labels(canvas, spots, wide=width >= WIDE)
    return canvas.finish(chart.name, chart.alt)


@dataclass(frozen=True)
class _Axis:
    place: Callable[[float], float]
    ticks: tuple[float, ...]


def _axis(values: Sequence[float], start: float, end: float) -> _Axis:
    """Return a logarithmic axis from `start` to `end`, with room around the values."""
    low, high = math.log10(min(values)), math.log10(max(values))
    margin = max(0.08 * (high - low), 0.06)
    low, high = low - margin, high + margin

    def place(value: float) -> float:
        return start + (math.log10(value) - low) / (high - low) * (end - start)

    return _Axis(place, _ticks(low, high))


def _ticks(low: float, high: float) -> tuple[float, ...]:
    """Return the powers of ten between two logarithms; where there are few, steps between them too."""
    decades = range(math.floor(low), math.ceil(high) + 1)
    powers = [10.0**n for n in decades if low <= n <= high]
    if len(powers) >= _FEW:
        every = math.ceil(len(powers) / 6)
        return tuple(powers[::every])
    steps = [step * 10.0**n for n in decades for step in _STEPS if low <= math.log10(step * 10.0**n) <= high]
    if len(steps) >= 2:
        return tuple(steps)
    fine = [step * 10.0 ** (n - 1) for n in decades for step in range(10, 100)]
    within = [value for value in fine if low <= math.log10(value) <= high]
    return tuple(within[:: max(1, len(within) // 4)])


def _grid(canvas: Canvas, plot: Tradeoff, x: _Axis, y: _Axis) -> None:
    right, bottom = canvas.width - 16, canvas.height - _BOTTOM + 8
    for tick in y.ticks:
        canvas.line(_LEFT - 6, y.place(tick), right, y.place(tick), "rule")
        canvas.text(_LEFT - 12, y.place(tick), _tick(tick) + plot.y_unit, size=_SMALL, role="muted", right=True)
    last = -math.inf
    for tick in x.ticks:
        canvas.line(x.place(tick), _TOP, x.place(tick), bottom, "rule")
        if x.place(tick) - last > text_width(_tick(tick), _SMALL) + 14:
            canvas.text(x.place(tick), bottom + 11, _tick(tick), size=_SMALL, role="muted", middle=True)
            last = x.place(tick)
    canvas.text(right, canvas.height - 8, plot.x_title, size=_SMALL, role="muted", right=True)
    canvas.text(0, _TOP - 4, plot.y_title, size=_SMALL, role="muted")


def _tick(value: float) -> str:
    return f"{value:.10f}".rstrip("0").rstrip(".") if value < 1 else f"{value:,.10g}"


def _spots(plot: Tradeoff, x: _Axis, y: _Axis) -> list[tuple[TradeoffPoint, tuple[float, float]]]:
    """Return where each option stands: those of one height are drawn a little apart, or bands would hide each other."""
    level: dict[float, list[TradeoffPoint]] = {}
    for point in plot.points:
        down = y.place(point.y)
        near = next((height for height in level if abs(height - down) < _LANE), down)
        level.setdefault(near, []).append(point)
    return [
        (point, (x.place(point.x), height + _LANE * (place - (len(held) - 1) / 2)))
        for height, held in level.items()
        for place, point in enumerate(sorted(held, key=lambda p: p.x))
    ]


def _labels(canvas: Canvas, spots: Sequence[tuple[TradeoffPoint, tuple[float, float]]], wide: bool) -> None:
    """Write each label above its dot, below it or farther away where a label or a dot is in the way."""
    taken = [(across, down, _DOT) for _, (across, down) in spots]
    for point, (across, down) in sorted(spots, key=lambda spot: spot[1][::-1]):
        label = f"{point.number} {point.name}" if wide else point.number
        half = text_width(label, _SMALL) / 2 + 3
        across = min(across, canvas.width - half)
        tries = [down + side * step for step in (15, 28, 41, 54) for side in (-1, 1)]
        tries = [spot for spot in tries if _TOP < spot < canvas.height - _BOTTOM] or tries
        free = [
            spot for spot in tries if all(abs(across - a) > half + h or abs(spot - d) > _SMALL for a, d, h in taken)
        ]
        spot = free[0] if free else tries[0]
        taken.append((across, spot, half))
        canvas.text(across, spot, label, size=_SMALL, bold=point.best, middle=True)
