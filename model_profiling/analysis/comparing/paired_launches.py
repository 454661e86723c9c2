# SPDX-License-Identifier: Apache-2.0
"""The launches that a comparison of two experiments rests on, pair by pair, and their traces."""

from __future__ import annotations

from dataclasses import dataclass

from model_profiling.analysis.comparing.sides import Blocks, MeasuredSide, launch_median_ms
from model_profiling.analysis.traces.recording import Recording


@dataclass(frozen=True)
class PairedLaunches:
    """The launch medians of the pairs that count, in ms, in the pairs' order; whether the baseline was made first."""

    pairs: tuple[int, ...]
    baseline_ms: tuple[float, ...]
    candidate_ms: tuple[float, ...]
    baseline_first: tuple[bool, ...]

    def traced(self, baseline: MeasuredSide, candidate: MeasuredSide) -> TracedPairs:
        """Return the recordings of those pairs that both sides have traced."""
        first, second = ({int(r.pair): r for r in side.recordings} for side in (baseline, candidate))
        both = [place for place, pair in enumerate(self.pairs) if pair in first and pair in second]
        return TracedPairs(
            tuple(first[self.pairs[place]] for place in both),
            tuple(second[self.pairs[place]] for place in both),
            tuple(self.baseline_first[place] for place in both),
        )


@dataclass(frozen=True)
class TracedPairs:
    """Both sides' recordings of the same pairs, in the pairs' order; whether the baseline was made first."""

    baseline: tuple[Recording, ...]
    candidate: tuple[Recording, ...]
    baseline_first: tuple[bool, ...]

    @property
    def sides(self) -> tuple[tuple[Recording, ...], tuple[Recording, ...]]:
        return self.baseline, self.candidate


def paired_launches(blocks: Blocks, baseline: str, candidate: str, threads: int) -> PairedLaunches:
    """Return the launches to compare; a launch is one sample, summarized by its median execution."""
    chosen = [
        (pair, block)
        for (t, pair), block in sorted(blocks.items())
        if t == threads and baseline in block and candidate in block
    ]
    before, after = (tuple(launch_median_ms(block[name]) for _, block in chosen) for name in (baseline, candidate))
    first = tuple(block[baseline].order < block[candidate].order for _, block in chosen)
    return PairedLaunches(tuple(pair for pair, _ in chosen), before, after, first)
