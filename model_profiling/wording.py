# SPDX-License-Identifier: Apache-2.0
"""How the kit counts and lists things in sentences. Pure."""

from __future__ import annotations

from collections.abc import Sequence


def count(number: int, noun: str, thousands: str = ",") -> str:
    """Return "1 launch", "2 launches", "1,000 kinds of kernel"; of several words the first is counted.

    `thousands` stands between groups of digits; "" leaves them together, as in names that are compared.
    """
    first, blank, rest = noun.partition(" ") if " of " in noun else (noun, "", "")
    plural = f"{first}es" if first.endswith(("ch", "s", "x")) else f"{first}s"
    return f"{number:,} ".replace(",", thousands) + (noun if number == 1 else plural + blank + rest)


def listed(words: Sequence[str]) -> str:
    """Return words as a sentence lists them: "a", "a and b", "a, b and c"."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else ""


def percent(share: float) -> str:
    """Return a share in whole percent; never "100 %" of less than all, nor "0 %" of more than nothing."""
    rounded = round(100 * share)
    if rounded == 100 and share < 1:
        return "over 99 %"
    if rounded == 0 and share > 0:
        return "under 1 %"
    return f"{rounded} %"


def capitalized(text: str) -> str:
    """Return `text` with its first letter as a sentence begins."""
    return text[:1].upper() + text[1:]


def duration(seconds: float) -> str:
    """Return a duration in whole seconds, in minutes from two of them, in hours from two of these."""
    if seconds < 120:
        return f"{max(1, round(seconds))} s"
    minutes = seconds / 60
    return f"{round(minutes)} min" if minutes < 120 else f"{minutes / 60:.1f} h"
