# SPDX-License-Identifier: Apache-2.0
"""Which of several options nothing else beats: Pareto's front, where some costs are measured and uncertain. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Cost:
    """What an option costs by one criterion, in any unit: less is better. `low` and `high` bound what is uncertain."""

    low: float
    value: float
    high: float

    @classmethod
    def exactly(cls, value: float) -> Cost:
        return cls(value, value, value)


#: An option by its costs, one a criterion, None where it is not known; all options have the same criteria.
Costs = Sequence[Cost | None]


def beats(first: Costs, second: Costs) -> bool:
    """Return whether `first` is nowhere worse than `second`, and somewhere better by more than is uncertain.

    Nowhere worse is meant of the values themselves, so that no ring of options can beat each other: each would have
    the values of the next. What is known of one alone shows nothing: neither beats the other.
    """
    if any((a is None) != (b is None) for a, b in zip(first, second, strict=True)):
        return False
    both = [(a, b) for a, b in zip(first, second, strict=True) if a is not None and b is not None]
    return all(a.value <= b.value for a, b in both) and any(a.high < b.low for a, b in both)


def unbeaten(options: Sequence[Costs]) -> tuple[bool, ...]:
    """Return of each option whether no other one beats it; of any options there is at least one."""
    return tuple(not any(beats(other, option) for other in options) for option in options)
