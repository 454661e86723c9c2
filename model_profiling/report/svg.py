# SPDX-License-Identifier: Apache-2.0
"""Turning matplotlib's SVG into one that follows the page's color scheme and can be inlined.

Matplotlib writes colors into style attributes and gives shapes ids that repeat in every
figure. Here a color becomes a presentation attribute plus a class, so that a style sheet
can replace it in the dark while programs without one still draw the light figure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from xml.etree import ElementTree

from model_profiling.report.palette import COLORS, figure_css

_SVG = "http://www.w3.org/2000/svg"
_XLINK = "http://www.w3.org/1999/xlink"
_ROLE_OF = {pair[0]: role for role, pair in COLORS.items()}
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"


@dataclass(frozen=True)
class Drawing:
    """A figure as drawn: `raw` is matplotlib's SVG; the rest says what it shows."""

    name: str
    raw: bytes
    width: int
    height: int
    alt: str

    def file_text(self) -> str:
        """Return the SVG as a file of its own, with its colors for light and dark inside."""
        root = self._cleaned("file")
        root.set("width", str(self.width))
        root.set("height", str(self.height))
        style = ElementTree.Element(f"{{{_SVG}}}style")
        style.text = f"@media (prefers-color-scheme: dark) {{{figure_css(dark=True)}}}"
        root.insert(1, style)
        return '<?xml version="1.0" encoding="UTF-8"?>\n' + _text(root)

    def inline_text(self) -> str:
        """Return the SVG for an HTML page, whose own style sheet colors it."""
        root = self._cleaned(f"w{self.width}")
        root.set("class", f"figure w{self.width}")
        return _text(root)

    def _cleaned(self, variant: str) -> ElementTree.Element:
        root = ElementTree.fromstring(self.raw)
        for parent in root.iter():
            for child in list(parent):
                if child.tag in (f"{{{_SVG}}}metadata", f"{{{_SVG}}}style"):
                    parent.remove(child)
        _own_ids(root, f"{self.name}-{variant}")
        for element in root.iter():
            _classify(element)
        for key in ("width", "height", "version"):
            root.attrib.pop(key, None)
        root.set("viewBox", f"0 0 {self.width} {self.height}")
        root.set("role", "img")
        root.set("font-family", _FONT)
        title = ElementTree.Element(f"{{{_SVG}}}title", {"id": f"{self.name}-{variant}-title"})
        title.text = self.alt
        root.set("aria-labelledby", title.get("id", ""))
        root.insert(0, title)
        return root


def _own_ids(root: ElementTree.Element, prefix: str) -> None:
    """Keep only the ids that something refers to, made unique with `prefix`."""
    used: set[str] = set()
    for element in root.iter():
        for value in element.attrib.values():
            used.update(re.findall(r"url\(#([^)]+)\)", value))
        reference = element.get(f"{{{_XLINK}}}href") or element.get("href") or ""
        if reference.startswith("#"):
            used.add(reference[1:])
    for element in root.iter():
        name = element.attrib.pop("id", None)
        if name in used:
            element.set("id", f"{prefix}-{name}")
        for key, value in list(element.attrib.items()):
            value = re.sub(r"url\(#([^)]+)\)", rf"url(#{prefix}-\1)", value)
            if key in ("href", f"{{{_XLINK}}}href") and value.startswith("#"):
                del element.attrib[key]
                key, value = "href", f"#{prefix}-{value[1:]}"
            element.set(key, value)


def _classify(element: ElementTree.Element) -> None:
    """Move colors and text properties out of the style attribute; name colors by their role."""
    kept, classes = [], []
    for declaration in filter(None, (d.strip() for d in element.attrib.pop("style", "").split(";"))):
        key, value = (part.strip() for part in declaration.split(":", 1))
        if key in ("fill", "stroke") and value in _ROLE_OF:
            element.set(key, value)
            classes.append(f"{key[0]}-{_ROLE_OF[value]}")
        elif key == "font":
            _font(element, value)
        elif key in ("font-family", "font-stretch", "font-style", "font-variant"):
            continue  # the root's family holds for all text
        elif key in (
            "font-size",
            "font-weight",
            "text-anchor",
            "fill",
            "stroke",
            "stroke-width",
            "opacity",
            "stroke-linecap",
            "stroke-linejoin",
            "stroke-dasharray",
            "fill-opacity",
        ):
            element.set(key, value)
        else:
            kept.append(f"{key}: {value}")
    if element.tag == f"{{{_SVG}}}text" and not any(c.startswith("f-") for c in classes) and not element.get("fill"):
        element.set("fill", COLORS["ink"][0])  # matplotlib leaves pure black out; we never draw with it
        classes.append("f-ink")
    if classes:
        element.set("class", " ".join(classes))
    if kept:
        element.set("style", "; ".join(kept))


def _font(element: ElementTree.Element, shorthand: str) -> None:
    """Read size and weight from matplotlib's ``[weight] <size>px <family>`` shorthand."""
    size = re.search(r"([\d.]+)px", shorthand)
    if size:
        element.set("font-size", size[1])
    weight = re.match(r"(bold|[1-9]00)\b", shorthand)
    if weight:
        element.set("font-weight", weight[1])


def _text(root: ElementTree.Element) -> str:
    ElementTree.register_namespace("", _SVG)
    ElementTree.register_namespace("xlink", _XLINK)
    return ElementTree.tostring(root, encoding="unicode")
