# SPDX-License-Identifier: Apache-2.0
"""Which of several options nothing else beats: Pareto's front, where some costs are measured and uncertain. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from model_profiling.json_objects import JsonObject


@dataclass(frozen=True)
class Cost:
    """What an option costs by one criterion, in any unit: less is better. `low` and `high` bound what is uncertain."""

    low: float
    value: float
    high: float

    @classmethod
    def exactly(cls, value: float) -> Cost:
        return cls(value, value, value)

    @property
    def bounded(self) -> bool:
        """Whether anything bounds it from above."""
        return not math.isinf(self.high)

    @classmethod
    def from_json(cls, held: JsonObject) -> Cost:
        low, high = held.number("low"), held.maybe_number("high")
        return cls(low, held.number("value"), math.inf if high is None else high)

    def to_json(self) -> dict[str, float | None]:
        """Return it as JSON values; an upper bound that nothing gives is null."""
        return {"low": self.low, "value": self.value, "high": self.high if self.bounded else None}


@dataclass(frozen=True)
class Option:
    """An option by its costs, one a criterion, None where it is not known; all options have the same criteria.

    Of `costs` the values count, of `coarse` only what its bounds show: overlapping ones count as equal. There is no
    second coarse one, for with two of them options could beat each other in a ring.
    """

    costs: tuple[Cost | None, ...]
    coarse: Cost | None = None

    @property
    def known(self) -> tuple[bool, ...]:
        """Of each criterion whether it is known."""
        return tuple(cost is not None for cost in (*self.costs, self.coarse))


def beats(first: Option, second: Option) -> bool:
    """Return whether `first` is nowhere worse than `second`, and somewhere better by more than is uncertain.

    What is known of one alone shows nothing: neither beats the other. No ring of options beat each other: the values
    of `costs` would be the same all around it, and so each would have the less `coarse` cost, beyond the bounds.
    """
    if first.known != second.known:
        return False
    both = [(a, b) for a, b in zip(first.costs, second.costs, strict=True) if a is not None and b is not None]
    better = any(a.high < b.low for a, b in both)
    if first.coarse is not None and second.coarse is not None:
        if second.coarse.high < first.coarse.low:
            return False
        better = better or first.coarse.high < second.coarse.low
    return better and all(a.value <= b.value for a, b in both)


def unbeaten(options: Sequence[Option]) -> tuple[bool, ...]:
    """Return of each option whether no other one beats it; of any options there is at least one."""
    return tuple(not any(beats(other, option) for other in options) for option in options)
