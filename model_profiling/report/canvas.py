# SPDX-License-Identifier: Apache-2.0
"""A drawing surface in pixels on top of matplotlib, whose SVG is the same on every run."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import Literal

import matplotlib

matplotlib.use("Agg")  # chosen before anything is drawn

from matplotlib.figure import Figure

from model_profiling.errors import one_line
from model_profiling.report.palette import light
from model_profiling.report.svg import Drawing

#: Average advance of a character over the font size, for common sans-serif faces.
_ADVANCE = 0.58


class Canvas:
    """A surface of `width` by `height` pixels; the origin is the top left corner."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self._figure = Figure(figsize=(width / 72, height / 72), dpi=72)  # 72 dpi: a point is a pixel
        self._axes = self._figure.add_axes((0, 0, 1, 1))
        self._axes.set_xlim(0, width)
        self._axes.set_ylim(height, 0)
        self._axes.axis("off")

    def box(self, x: float, y: float, width: float, height: float, role: str) -> None:
        self._axes.fill([x, x + width, x + width, x], [y, y, y + height, y + height], color=light(role), linewidth=0)

    def line(self, x: float, y: float, to_x: float, to_y: float, role: str, width: float = 1) -> None:
        self._axes.plot([x, to_x], [y, to_y], color=light(role), linewidth=width, solid_capstyle="butt")

    def dot(self, x: float, y: float, diameter: float, role: str) -> None:
        self._axes.plot([x], [y], marker="o", markersize=diameter, markeredgewidth=0, color=light(role))

    def dots(self, places: Sequence[tuple[float, float]], diameter: float, role: str) -> None:
        """Draw many dots as one path of round ends, which takes a fraction of as many shapes."""
        gap = (math.nan, math.nan)
        self._strokes([point for x, y in places for point in ((x, y), (x + 0.1, y), gap)], role, diameter, "round")

    def uprights(self, spans: Sequence[tuple[float, float, float]], role: str, width: float) -> None:
        """Draw many vertical lines, each (x, from, to), as one path."""
        gap = (math.nan, math.nan)
        self._strokes([point for x, y, to in spans for point in ((x, y), (x, to), gap)], role, width, "butt")

    def _strokes(
        self, points: Sequence[tuple[float, float]], role: str, width: float, cap: Literal["round", "butt"]
    ) -> None:
        [line] = self._axes.plot(
            [x for x, _ in points], [y for _, y in points], color=light(role), linewidth=width, solid_capstyle=cap
        )
        line.get_path().should_simplify = False

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        size: float = 13,
        role: str = "ink",
        bold: bool = False,
        right: bool = False,
        middle: bool = False,
    ) -> None:
        """Write `text` with its vertical middle at `y`, from `x` on (or up to it, or around it)."""
        anchor = "right" if right else "center" if middle else "left"
        # Baselines are placed by hand: the viewer's font is not the one matplotlib measures.
        self._axes.text(
            x,
            y + 0.36 * size,
            text,
            fontsize=size,
            color=light(role),
            ha=anchor,
            va="baseline",
            weight="bold" if bold else "normal",
            parse_math=False,
        )

    def finish(self, name: str, alt: str) -> Drawing:
        """Return the drawing; equal input gives equal bytes (no date, ids salted by name and width)."""
        buffer = io.BytesIO()
        salt = f"{name}-{self.width}"
        with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": salt}):
            self._figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
        return Drawing(name, buffer.getvalue(), self.width, self.height, one_line(alt))


def text_width(text: str, size: float) -> float:
    """Estimate the width of `text` in pixels."""
    return len(text) * size * _ADVANCE


def fitted(text: str, width: float, size: float) -> str:
    """Return `text`, its middle cut out where it would be wider than `width` pixels."""
    clean = one_line(text)
    room = max(3, int(width / (size * _ADVANCE)))
    if len(clean) <= room:
        return clean
    head = (room - 1) * 2 // 3
    return f"{clean[:head]}…{clean[len(clean) - (room - 1 - head) :]}"
