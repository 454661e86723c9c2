# SPDX-License-Identifier: Apache-2.0
"""Compares two sides layer by layer, pair by pair; layers of two programs as their modules join them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from model_profiling.analysis.comparing.comparison import LayerComparison
from model_profiling.analysis.comparing.layer_matching import MatchedLayers, match_layers
from model_profiling.analysis.comparing.paired_launches import TracedPairs
from model_profiling.analysis.comparing.part_times import PartTimes, times_by_pair
from model_profiling.analysis.comparing.parts import CLOCK_TICK_US, PartComparison, compare_parts
from model_profiling.analysis.program_layers import ProgramLayers
from model_profiling.analysis.traces.layers import Layer, events_per_run, times_per_run
from model_profiling.analysis.traces.recording import Recording

_NS_PER_US = 1e3
#: How the names of several layers that are compared as one are joined, and those of the two sides.
_AND, _OR = " + ", " / "


def compare_layers(
    pairs: TracedPairs, programs: tuple[ProgramLayers, ProgramLayers], quick: bool
) -> list[LayerComparison]:
    """Compare every layer that ran."""
    matches = match_layers(*programs)
    ticks = _ticks_us(matches, pairs.sides, programs)
    before, after = times_by_pair(
        [
            [_matched_times(layer_times(r, len(program.layers)), [match.sides[side] for match in matches]) for r in own]
            for side, (own, program) in enumerate(zip(pairs.sides, programs, strict=True))
        ]
    )
    parts = compare_parts(before, after, ticks, quick, pairs.baseline_first)
    return [_comparison(matches[number], part, programs) for number, part in sorted(parts.items())]


def layer_times(recording: Recording, layers: int) -> PartTimes[int]:
    """Return the times of each layer in the executions of a launch; layers that did not run left out."""
    times = times_per_run(recording, layers) / _NS_PER_US
    ran = np.unique(recording.layers[recording.layers >= 0])
    return PartTimes({int(number): times[number] for number in ran}, recording.turns)


def _matched_times(times: PartTimes[int], positions: Sequence[tuple[int, ...]]) -> PartTimes[int]:
    """Return the times of a side's layers by what they are compared as, `positions` having those of each."""
    ran = [[times.times_us[number] for number in numbers if number in times.times_us] for numbers in positions]
    return PartTimes({match: np.sum(held, axis=0) for match, held in enumerate(ran) if held}, times.turns)


def _ticks_us(
    matches: Sequence[MatchedLayers],
    recordings: tuple[Sequence[Recording], Sequence[Recording]],
    programs: tuple[ProgramLayers, ProgramLayers],
) -> dict[int, float]:
    """Return what the clock may be off by over one execution of what is compared."""
    events = [
        max((events_per_run(r, len(program.layers)) for r in own), key=sum, default=[])
        for own, program in zip(recordings, programs, strict=True)
    ]
    ticks = {}
    for match, compared in enumerate(matches):
        counts = [
            sum(events[side][number] for number in compared.sides[side] if program.layers[number].delegated)
            for side, program in enumerate(programs)
            if events[side]
        ]
        ticks[match] = CLOCK_TICK_US * max(counts, default=0)
    return ticks


def _comparison(
    match: MatchedLayers, part: PartComparison, programs: tuple[ProgramLayers, ProgramLayers]
) -> LayerComparison:
    sides = [[program.layers[n] for n in own] for program, own in zip(programs, match.sides, strict=True)]
    names = [tuple(layer.layer for layer in side) for side in sides]
    two = programs[0] is not programs[1]
    return LayerComparison(
        _OR.join(dict.fromkeys(_AND.join(own) for own in names if own)),
        _multiply_adds(sides),
        part.baseline_us,
        part.candidate_us,
        part.speedup,
        part.interval,
        part.p_value,
        part.verdict,
        (names[0], names[1]) if two else None,
    )


def _multiply_adds(sides: Sequence[Sequence[Layer]]) -> int:
    """Return the multiply-adds of what is compared, 0 where the two sides do not have as many."""
    work = {sum(layer.multiply_adds for layer in side) for side in sides if side}
    return work.pop() if len(work) == 1 else 0
