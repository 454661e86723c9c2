# SPDX-License-Identifier: Apache-2.0
"""What a report prints: numbers with their rounded text and where they stand, names, and sentences of both."""

from __future__ import annotations

from dataclasses import dataclass

from model_profiling.analysis.comparing.comparison import Interval
from model_profiling.rounding import fixed, places_for, ratio_places


@dataclass(frozen=True)
class Quantity:
    """A number as printed, the number it came from, and where that stands.

    `text` has no unit. `path` is ``<file of the run directory>#<JSON pointer>``, so that
    a reader, or a test, can look the raw number up; in a CSV table the pointer is
    ``/<row>/<column>``. `text` is `raw` over `scale` with `places` decimals.
    """

    text: str
    raw: float
    path: str
    places: int
    scale: float = 1.0


#: A sentence: words, and numbers that lead back to where they stand.
Sentence = tuple["str | Quantity", ...]


class Identifier(str):
    """A name from the model or its source, shown as it is: no word, and no number of a measurement."""


def plain(sentence: Sentence) -> str:
    """Return a sentence as plain text."""
    return "".join(part if isinstance(part, str) else part.text for part in sentence)


def quantity(value: float, path: str, places: int, scale: float = 1.0) -> Quantity:
    """Return `value`, in units of `scale`, rounded to `places` decimals."""
    return Quantity(fixed(value / scale, places), value, path, places, scale)


def ratio_with_interval(
    value: float, interval: Interval | None, path: str
) -> tuple[Quantity, Quantity | None, Quantity | None]:
    """Return a ratio and its interval's ends, which stand at `path`/speedup and `path`/ci95."""
    if interval is None:
        return quantity(value, f"{path}/speedup", places_for(None, value)), None, None
    places = ratio_places(interval.low, value, interval.high)
    return (
        quantity(value, f"{path}/speedup", places),
        quantity(interval.low, f"{path}/ci95/0", places),
        quantity(interval.high, f"{path}/ci95/1", places),
    )


def ratio_or_none(
    value: float | None, interval: Interval | None, path: str
) -> tuple[Quantity | None, Quantity | None, Quantity | None]:
    """Return a ratio as `ratio_with_interval` does, three times None where there is none."""
    return (None, None, None) if value is None else ratio_with_interval(value, interval, path)


def probability(value: float, path: str) -> Quantity:
    """Return a p-value with three decimals; smaller ones are printed as ``< 0.001``."""
    return Quantity("< 0.001" if value < 0.001 else fixed(value, 3), value, path, 3)


def pointer(*keys: object) -> str:
    """Return the JSON pointer (RFC 6901) that leads through `keys`."""
    return "".join("/" + str(key).replace("~", "~0").replace("/", "~1") for key in keys)
