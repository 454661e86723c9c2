# SPDX-License-Identifier: Apache-2.0
"""The report's colors: one role, one light and one dark value, shared by pages and figures.

Baseline gray against blue differs in lightness as well as in hue, so it survives every
kind of color blindness and a gray printer; the further ones follow Okabe and Ito
("Color Universal Design", 2008) in spirit: orange, green, purple. Text colors reach
4.5:1 on their background (WCAG 2.2, 1.4.3).
"""

from __future__ import annotations

#: role -> (on white, on dark). Figures are drawn in the light values, each used once,
#: and the roles are found again by them.
COLORS: dict[str, tuple[str, str]] = {
    "paper": ("#ffffff", "#161b21"),
    "ink": ("#1a1f26", "#e4e8ed"),
    "muted": ("#59636f", "#9ba6b3"),
    "rule": ("#d9dee4", "#343c46"),
    "track": ("#f0f2f5", "#20262d"),
    "off": ("#8d98a6", "#76818f"),
    "offdot": ("#4d5763", "#c3ccd6"),
    "on": ("#2f7fd6", "#4c96e8"),
    "ondot": ("#0b4a94", "#b5d6fb"),
    "third": ("#d9772b", "#dd8440"),
    "thirddot": ("#8a4208", "#fbd0a9"),
    "fourth": ("#2b9a6c", "#3aa57a"),
    "fourthdot": ("#0d5a3b", "#a8e5cb"),
    "fifth": ("#a05bb0", "#b06fc0"),
    "fifthdot": ("#642a72", "#ecc6f4"),
}

#: Roles that experiments take in turn; the baseline is always the first.
SERIES = ("off", "on", "third", "fourth", "fifth")


def light(role: str) -> str:
    return COLORS[role][0]


def series(index: int) -> str:
    """Return the role of the experiment at `index`; the baseline's gray is not used twice."""
    return SERIES[index] if index < len(SERIES) else SERIES[1 + (index - 1) % (len(SERIES) - 1)]


def figure_css(dark: bool) -> str:
    """Return the CSS rules that color the marked shapes of a figure on its own."""
    column = 1 if dark else 0
    return "".join(
        f".f-{role}{{fill:{pair[column]}}}.s-{role}{{stroke:{pair[column]}}}" for role, pair in COLORS.items()
    )


def page_variables(dark: bool) -> str:
    """Return the palette as CSS custom properties, for a page that holds figures inline."""
    return "".join(f"--c-{role}:{pair[1 if dark else 0]};" for role, pair in COLORS.items())


def page_classes() -> str:
    """Return the CSS rules that apply the page's custom properties to figures and swatches."""
    return "".join(
        f".f-{role}{{fill:var(--c-{role})}}.s-{role}{{stroke:var(--c-{role})}}.b-{role}{{background:var(--c-{role})}}"
        for role in COLORS
    )
