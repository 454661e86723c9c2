# SPDX-License-Identifier: Apache-2.0
"""How many digits of a number are worth printing: those that its spread supports. Pure."""

from __future__ import annotations

import math

#: Decimal places that are exceeded only to show a first digit at all: milliseconds down to the
#: microsecond, which is what XNNPACK's operator clock counts in.
MAX_PLACES = 3
#: An uncertainty that begins with less than this is given two digits.
TWO_DIGITS_BELOW = 3.55
#: Significant digits of a value whose spread is unknown (one launch, one pair).
DIGITS_WITHOUT_SPREAD = 2


def places_for(half_width: float | None, value: float) -> int:
    """Return the decimal places of `value` that an uncertainty of `half_width` supports.

    The Particle Data Group's rule (Review of Particle Physics, "Rounding"): two digits of
    the uncertainty when it begins with 100 to 354, else one; the value ends where it ends.
    Both arguments have the same unit. A spread larger than the value leaves its first
    digit, for a bare 0 would claim more. Without a spread (None, or 0 as one sample
    gives) two significant digits are kept.
    """
    leading = -math.floor(math.log10(abs(value))) if value else 0
    if half_width is None or not math.isfinite(half_width) or half_width <= 0:
        places = leading + DIGITS_WITHOUT_SPREAD - 1 if value else 0
    else:
        exponent = math.floor(math.log10(half_width))
        two_digits = half_width < TWO_DIGITS_BELOW * 10.0**exponent
        places = max(-exponent + two_digits, leading)
    return min(max(places, 0), max(MAX_PLACES, leading))


def ratio_places(low: float, value: float, high: float) -> int:
    """Return the decimals of a ratio `value` with the interval `low` to `high`.

    A ratio's interval is symmetric in its logarithm, so the side nearer to zero is the
    narrower and decides, and `low` keeps a digit other than zero. An interval that
    excludes 1 must not be rounded onto it: digits are added until the nearer end differs
    from 1 in print, as far as `MAX_PLACES`.
    """
    places = places_for(min(value - low, high - value), value)
    while places < MAX_PLACES and float(f"{low:.{places}f}") == 0:
        places += 1
    nearer = low if low > 1 else high
    while not low <= 1 <= high and places < MAX_PLACES and float(f"{nearer:.{places}f}") == 1:
        places += 1
    return places


def fixed(value: float, places: int) -> str:
    """Format `value` with `places` decimals and a thin grouping of thousands; never "-0"."""
    text = f"{value:,.{places}f}"
    return text.lstrip("-") if not text.strip("-0.,") else text
