# SPDX-License-Identifier: Apache-2.0
"""Numbers as tables of text show them; how many digits is `rounding`'s rule, as in the report."""

from __future__ import annotations

from model_profiling.report.words.table import NONE
from model_profiling.rounding import fixed, places_for


def milliseconds(value: float | None, half_spread: float | None = None) -> str:
    """Return a time in ms with the digits that its spread supports, "-" where there is none."""
    return NONE if value is None else fixed(value, places_for(half_spread, value))


def percent(value: float | None) -> str:
    """Return a percentage with one decimal, "-" where there is none."""
    return NONE if value is None else f"{value:.1f} %"


def ratio(value: float | None) -> str:
    """Return a speed-up without an interval, "-" where there is none."""
    return NONE if value is None else f"{value:.2f}x"
