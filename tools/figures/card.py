# SPDX-License-Identifier: Apache-2.0
"""A figure that stands alone: a card with a background of its own, readable on any page.

An SVG inside `<img>` follows the reader's color scheme, while the page around it may
not. With its own background it stays readable either way.
"""

from __future__ import annotations

from matplotlib.patches import FancyBboxPatch, Polygon

from model_profiling.report.canvas import Canvas, text_width
from model_profiling.report.palette import light

#: One width for all. Text of 15 pixels is still 9.5 on a phone of 390.
WIDTH = 560
MARGIN = 22
BODY, SMALL = 15.0, 14.0


class Card(Canvas):
    """A canvas with a background, boxes with round corners, arrows and wrapped text."""

    def __init__(self, height: int, width: int = WIDTH) -> None:
        super().__init__(width, height)
        self.panel(0.5, 0.5, width - 1, height - 1, "paper", edge="rule", radius=10)

    def panel(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        role: str,
        *,
        edge: str | None = None,
        radius: float = 7,
        weight: float = 1,
    ) -> None:
        """Draw a box with round corners; `edge` is the role of its outline."""
        self._axes.add_patch(
            FancyBboxPatch(
                (x + radius, y + radius),
                width - 2 * radius,
                height - 2 * radius,
                boxstyle=f"round,pad={radius},rounding_size={radius}",
                facecolor=light(role),
                edgecolor=light(edge) if edge else "none",
                linewidth=weight if edge else 0,
            )
        )

    def arrow(self, x: float, y: float, to_x: float, to_y: float, role: str = "muted", head: float = 6) -> None:
        """Draw an arrow that runs straight down or straight to the right."""
        down = to_x == x
        if down:
            self.line(x, y, x, to_y - head, role, 1.6)
            points = [(to_x, to_y), (to_x - head, to_y - 1.5 * head), (to_x + head, to_y - 1.5 * head)]
        else:
            self.line(x, y, to_x - head, to_y, role, 1.6)
            points = [(to_x, to_y), (to_x - 1.5 * head, to_y - head), (to_x - 1.5 * head, to_y + head)]
        self._axes.add_patch(Polygon(points, closed=True, facecolor=light(role), edgecolor="none", linewidth=0))

    def heading(self, y: float, text: str, note: str = "") -> None:
        """Write a panel's title at the left margin, with a smaller `note` under it."""
        self.text(MARGIN, y, text, size=16, bold=True)
        if note:
            self.text(MARGIN, y + 21, note, size=SMALL, role="muted")

    def legend(self, y: float, entries: list[tuple[str, str]]) -> None:
        """Draw a row of swatches with their names."""
        x = float(MARGIN)
        for role, name in entries:
            self.panel(x, y - 6, 13, 13, role, radius=3)
            self.text(x + 20, y, name, size=SMALL)
            x += text_width(name, SMALL) + 44
