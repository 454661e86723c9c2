# SPDX-License-Identifier: Apache-2.0
"""A pair's time of each part of the model, operator or layer, on both sides.

Where the launches of the pair took turns, the two times of a part have the ratio of neighboring turns, as those of
the whole model have: the machine that slows one turn slows the next one too.
"""

from __future__ import annotations

import statistics
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from model_profiling.analysis.traces.recording import ExecutionTurns
from model_profiling.pipeline.lockstep.rounds import side_times_ns

_Part = TypeVar("_Part", bound=Hashable)


@dataclass(frozen=True, eq=False)
class PartTimes(Generic[_Part]):
    """One launch: us of each part in each execution, and the executions' turns, None where it took none."""

    times_us: Mapping[_Part, NDArray[np.float64]]
    turns: ExecutionTurns | None

    def in_round(self, part: _Part, number: int) -> float:
        """Return the part's median in the round of this number."""
        # Few values each, and many parts with many rounds: an array's median costs more than all that it is of.
        times: list[float] = self.times_us[part][self._executions_of[number]].tolist()
        return statistics.median(times)

    @cached_property
    def _executions_of(self) -> dict[int, NDArray[np.intp]]:
        """The executions of each round."""
        assert self.turns is not None  # only rounds of both sides are asked for
        return {int(number): np.flatnonzero(self.turns.rounds == number) for number in np.unique(self.turns.rounds)}

    def median(self, part: _Part) -> float:
        """Return the part's median over all executions."""
        return float(np.median(self.times_us[part])) if part in self.times_us else 0.0


def pair_times(first: PartTimes[_Part], second: PartTimes[_Part]) -> tuple[dict[_Part, float], dict[_Part, float]]:
    """Return the time of each part in us on both sides of a pair; a part that did not run on a side took 0."""
    parts = dict.fromkeys((*first.times_us, *second.times_us))
    orders = _common_rounds(first.turns, second.turns)
    times = {part: _of_part(part, (first, second), orders) for part in parts}
    return {part: before for part, (before, _) in times.items()}, {part: after for part, (_, after) in times.items()}


def _common_rounds(first: ExecutionTurns | None, second: ExecutionTurns | None) -> dict[int, tuple[int, int]]:
    """Return the rounds in which both sides were traced, each with the sides in the order of their turns."""
    if first is None or second is None:
        return {}
    common = np.intersect1d(first.rounds, second.rounds).tolist()
    return {number: (0, 1) if first.place(number) < second.place(number) else (1, 0) for number in common}


def _of_part(
    part: _Part, sides: tuple[PartTimes[_Part], PartTimes[_Part]], orders: Mapping[int, tuple[int, int]]
) -> tuple[float, float]:
    if all(part in side.times_us for side in sides):
        rounds = [{side: sides[side].in_round(part, number) for side in order} for number, order in orders.items()]
        ran = [times for times in rounds if all(time > 0 for time in times.values())]
        if ran:
            before, after = side_times_ns(ran)
            return before, after
    return sides[0].median(part), sides[1].median(part)


def times_by_pair(sides: Sequence[Sequence[PartTimes[_Part]]]) -> tuple[dict[_Part, list[float]], ...]:
    """Return each side's times by part, one of each pair; a part that ran nowhere on a side is not among them."""
    pairs = [pair_times(first, second) for first, second in zip(*sides, strict=True)]
    ran = [{part for launch in side for part in launch.times_us} for side in sides]
    parts = [dict.fromkeys(part for pair in pairs for part in pair[side] if part in ran[side]) for side in (0, 1)]
    return tuple({part: [pair[side].get(part, 0.0) for pair in pairs] for part in parts[side]} for side in (0, 1))
