# SPDX-License-Identifier: Apache-2.0
"""A pair's time of each part of the model, operator or layer, on both sides.

Where the launches of the pair took turns, the two times of a part have the ratio of neighboring turns, as those of
the whole model have: the machine that slows one turn slows the next one too.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from model_profiling.analysis.traces.etdump import Ints
from model_profiling.pipeline.lockstep.rounds import side_times_ns

_Part = TypeVar("_Part", bound=Hashable)


@dataclass(frozen=True, eq=False)
class PartTimes(Generic[_Part]):
    """One launch: us of each part in each execution, and the round of each execution, None of one without turns."""

    times_us: Mapping[_Part, NDArray[np.float64]]
    rounds: Ints | None

    def by_round(self, part: _Part, rounds: Ints) -> NDArray[np.float64]:
        """Return the part's median in each of these rounds."""
        times = self.times_us[part]
        return np.array([np.median(times[self.rounds == number]) for number in rounds])

    def median(self, part: _Part) -> float:
        """Return the part's median over all executions."""
        return float(np.median(self.times_us[part])) if part in self.times_us else 0.0

    def common_rounds(self, other: PartTimes[_Part]) -> Ints | None:
        """Return the rounds in which both sides were traced, None where there is none."""
        if self.rounds is None or other.rounds is None:
            return None
        common = np.intersect1d(self.rounds, other.rounds)
        return common if len(common) else None


def pair_times(first: PartTimes[_Part], second: PartTimes[_Part]) -> tuple[dict[_Part, float], dict[_Part, float]]:
    """Return the time of each part in us on both sides of a pair; a part that did not run on a side took 0."""
    parts = dict.fromkeys((*first.times_us, *second.times_us))
    common = first.common_rounds(second)
    times = {part: _of_part(part, first, second, common) for part in parts}
    return {part: before for part, (before, _) in times.items()}, {part: after for part, (_, after) in times.items()}


def _of_part(
    part: _Part, first: PartTimes[_Part], second: PartTimes[_Part], rounds: Ints | None
) -> tuple[float, float]:
    if rounds is not None and part in first.times_us and part in second.times_us:
        by_round = np.column_stack([side.by_round(part, rounds) for side in (first, second)])
        ran = by_round[(by_round > 0).all(axis=1)]
        if len(ran):
            before, after = side_times_ns(ran.tolist())
            return before, after
    return first.median(part), second.median(part)
