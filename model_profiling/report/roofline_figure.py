# SPDX-License-Identifier: Apache-2.0
"""The roofline figure: operations a second over operations a byte, both logarithmic, a dot a layer under its roofs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from model_profiling.report.canvas import Canvas, fitted
from model_profiling.report.figures import WIDE, Chart, legend, legend_height
from model_profiling.report.svg import Drawing

_LEFT, _RIGHT, _BOTTOM = 48, 12, 44
_LEAST_DOT, _MOST_DOT = 5.0, 15.0


@dataclass(frozen=True)
class Roof:
    """The ceilings of a side: peak in 10^9 operations a second, memory and caches in 10^9 bytes a second."""

    role: str
    peak: float
    memory: float
    caches: float


@dataclass(frozen=True)
class Dot:
    """A layer: operations a byte, 10^9 operations a second, its part of the side's time, "" or what it is called."""

    role: str
    intensity: float
    speed: float
    part: float
    label: str = ""
    short: str = ""


@dataclass(frozen=True)
class RooflineChart(Chart):
    """What the figure shows; the dots that are labeled come last."""

    roofs: tuple[Roof, ...] = ()
    dots: tuple[Dot, ...] = ()


@dataclass(frozen=True)
class _Plane:
    """The plane between a power of ten and a further value each way, as logarithms, and where it lies on the canvas."""

    x: tuple[int, float]
    y: tuple[int, float]
    left: float
    right: float
    top: float
    bottom: float

    def place(self, x: float, y: float) -> tuple[float, float]:
        across = (math.log10(x) - self.x[0]) / (self.x[1] - self.x[0])
        up = (math.log10(y) - self.y[0]) / (self.y[1] - self.y[0])
        return self.left + across * (self.right - self.left), self.bottom - up * (self.bottom - self.top)


def roofline(chart: Chart, width: int) -> Drawing:
    """Draw a `RooflineChart`."""
    assert isinstance(chart, RooflineChart)
    wide = width >= WIDE
    top = legend_height(chart, width) + 8
    height = int(top + (400 if wide else 300) + _BOTTOM)
    canvas = Canvas(width, height)
    legend(canvas, chart)
    plane = _plane(chart, (_LEFT, width - _RIGHT, top, height - _BOTTOM))
    _axes(canvas, plane)
    for roof in chart.roofs:
        _roof(canvas, plane, roof)
    _name_roofs(canvas, plane, chart.roofs[-1])
    for dot in chart.dots:
        diameter = _LEAST_DOT + (_MOST_DOT - _LEAST_DOT) * math.sqrt(dot.part)
        canvas.dot(*plane.place(dot.intensity, dot.speed), diameter, dot.role)
    _labels(canvas, plane, [dot for dot in chart.dots if dot.label], wide)
    return canvas.finish(chart.name, chart.alt)


def _plane(chart: RooflineChart, sides: tuple[float, float, float, float]) -> _Plane:
    xs = [dot.intensity for dot in chart.dots] + [roof.peak / roof.memory for roof in chart.roofs]
    ys = [dot.speed for dot in chart.dots] + [roof.peak for roof in chart.roofs]
    return _Plane(_range(xs), _range(ys), *sides)


def _range(values: Sequence[float]) -> tuple[int, float]:
    """Return the logarithms between which all values lie, with room beside the outermost."""
    low = math.floor(math.log10(min(values) * 0.8))
    return low, max(math.log10(max(values) * 1.6), low + 1.0)


def _ticks(ends: tuple[int, float]) -> Iterator[int]:
    return iter(range(ends[0], math.floor(ends[1]) + 1))


def _axes(canvas: Canvas, plane: _Plane) -> None:
    for power in _ticks(plane.x):
        x, _ = plane.place(10.0**power, 10.0 ** plane.y[0])
        canvas.line(x, plane.top, x, plane.bottom, "rule")
        canvas.text(x, plane.bottom + 12, f"{10.0**power:g}", size=12, role="muted", middle=True)
    for power in _ticks(plane.y):
        _, y = plane.place(10.0 ** plane.x[0], 10.0**power)
        canvas.line(plane.left, y, plane.right, y, "rule")
        canvas.text(plane.left - 6, y, f"{10.0**power:g}", size=12, role="muted", right=True)
    middle = (plane.left + plane.right) / 2
    canvas.text(middle, plane.bottom + 31, "operations a byte", size=12, role="muted", middle=True)
    canvas.text(plane.left + 6, plane.top + 10, "10⁹ operations a second", size=12, role="muted")


def _roof(canvas: Canvas, plane: _Plane, roof: Roof) -> None:
    for rate, thick in ((roof.memory, 2.0), (roof.caches, 1.0)):
        ends = list(_corner_points(plane, roof.peak, rate))
        for (x, y), (to_x, to_y) in zip(ends, ends[1:], strict=False):
            canvas.line(*plane.place(x, y), *plane.place(to_x, to_y), roof.role, thick)


def _corner_points(plane: _Plane, peak: float, rate: float) -> Iterator[tuple[float, float]]:
    """Yield where a roof begins, has its ridge and ends, within the plane."""
    left, right, floor = 10.0 ** plane.x[0], 10.0 ** plane.x[1], 10.0 ** plane.y[0]
    start = max(left, floor / rate)
    ridge = peak / rate
    if start < ridge:
        yield start, start * rate
    if left < ridge < right:
        yield ridge, peak
    else:
        yield left, peak
    if ridge < right:
        yield right, peak


def _name_roofs(canvas: Canvas, plane: _Plane, roof: Roof) -> None:
    """Name the two rates of memory beside their lines: below the lower one, above the upper one."""
    floor = 10.0 ** plane.y[0]
    for rate, name, shift in ((roof.memory, "memory", 9), (roof.caches, "caches", -17)):
        start = 1.3 * max(10.0 ** plane.x[0], floor / rate)
        x, y = plane.place(start, min(start * rate, roof.peak))
        canvas.text(x + (shift if shift > 0 else -6), y + shift, name, size=12, role="muted")


def _labels(canvas: Canvas, plane: _Plane, dots: Sequence[Dot], wide: bool) -> None:
    """Write the names of dots beside them, each on a line of its own."""
    taken: list[float] = []
    for dot in sorted(dots, key=lambda one: -one.speed):
        x, y = plane.place(dot.intensity, dot.speed)
        line = _free(y, taken)
        taken.append(line)
        leftwards = x > (plane.left + plane.right) / 2
        room = (x - plane.left if leftwards else plane.right - x) - 16
        text = fitted(dot.label if wide else dot.short, room, 12)
        canvas.text(x - 11 if leftwards else x + 11, line, text, size=12, right=leftwards)


def _free(y: float, taken: Sequence[float]) -> float:
    """Return the height nearest to `y`, from there downwards, at which no other label stands."""
    while any(abs(y - other) < 15 for other in taken):
        y += 3
    return y
