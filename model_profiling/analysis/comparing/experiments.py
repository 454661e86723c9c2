# SPDX-License-Identifier: Apache-2.0
"""Compares two experiments: the whole model by pairs of launches, and operator by operator, layer by layer."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from model_profiling.analysis.comparing.bottleneck import dominant
from model_profiling.analysis.comparing.comparison import (
    SIDES,
    Bottleneck,
    Comparison,
    Interval,
    LayerComparison,
    OperatorComparison,
    OperatorCost,
    TracedComparison,
)
from model_profiling.analysis.comparing.operators import OperatorChange, OperatorTime, operator_changes
from model_profiling.analysis.comparing.part_times import PartTimes, pair_times
from model_profiling.analysis.comparing.parts import CLOCK_TICK_US, MIN_PART_US, PartComparison, compare_parts
from model_profiling.analysis.comparing.sides import Blocks, MeasuredSide, launch_median_ms
from model_profiling.analysis.traces.breakdown import Breakdown
from model_profiling.analysis.traces.layers import Layer, events_per_run, times_per_run
from model_profiling.analysis.traces.operator_stats import operator_stats
from model_profiling.analysis.traces.operators import kind
from model_profiling.analysis.traces.packing import charged
from model_profiling.analysis.traces.recording import Recording
from model_profiling.paired_statistics import NO_VERDICT, SLOWER, estimate, verdict

_NS_PER_US = 1e3
_Part = TypeVar("_Part", bound=Hashable)


@dataclass(frozen=True)
class PairedLaunches:
    """The launch medians of the pairs that count, in ms, in the pairs' order."""

    pairs: tuple[int, ...]
    baseline_ms: tuple[float, ...]
    candidate_ms: tuple[float, ...]


def paired_launches(blocks: Blocks, baseline: str, candidate: str, threads: int) -> PairedLaunches:
    """Return the launches to compare; a launch is one sample, summarized by its median execution."""
    chosen = [
        (pair, block)
        for (t, pair), block in sorted(blocks.items())
        if t == threads and baseline in block and candidate in block
    ]
    return PairedLaunches(
        tuple(pair for pair, _ in chosen),
        *(tuple(launch_median_ms(block[name]) for _, block in chosen) for name in (baseline, candidate)),
    )


def compare(
    baseline: MeasuredSide,
    candidate: MeasuredSide,
    blocks: Blocks,
    noise_floor_percent: float | None,
    quick: bool,
    layers: Sequence[Layer] = (),
) -> Comparison | None:
    """Compare two sides of one thread count; None where the two share no pair that counts.

    Beside the whole model it compares operators by kind and, where `layers` are known,
    layer by layer: the same layer may run under other names on the two sides.
    """
    paired = paired_launches(blocks, baseline.experiment, candidate.experiment, baseline.threads)
    if not paired.pairs:
        return None
    result = estimate(paired.baseline_ms, paired.candidate_ms)
    return Comparison(
        baseline=baseline.experiment,
        candidate=candidate.experiment,
        threads=baseline.threads,
        pairs=result.pairs,
        speedup=result.speedup,
        interval=Interval.of(result.low, result.high),
        p_value=result.p_value,
        noise_floor_percent=noise_floor_percent,
        verdict=verdict(result, noise_floor_percent, quick),
        traced=_traced(baseline, candidate, layers, quick),
    )


def _traced(
    baseline: MeasuredSide, candidate: MeasuredSide, layers: Sequence[Layer], quick: bool
) -> TracedComparison | None:
    if baseline.breakdown is None or candidate.breakdown is None:
        return None
    recordings = _recordings_by_pair(baseline, candidate)
    return TracedComparison(
        dict(zip(SIDES, map(_bottleneck, (baseline.breakdown, candidate.breakdown)), strict=True)),
        tuple(_operators(baseline, candidate, recordings, quick)),
        tuple(_layers(recordings, layers, quick)) if layers else None,
    )


def _bottleneck(whole: Breakdown) -> Bottleneck | None:
    largest = dominant(whole.mean_shares())
    return None if largest is None else Bottleneck(*largest)


def _recordings_by_pair(baseline: MeasuredSide, candidate: MeasuredSide) -> tuple[list[Recording], list[Recording]]:
    """Return the recordings of the pairs that both sides have traced, in the pairs' order."""
    first, second = ({int(r.pair): r for r in side.recordings} for side in (baseline, candidate))
    common = sorted(first.keys() & second.keys())
    return [first[pair] for pair in common], [second[pair] for pair in common]


def _operators(
    baseline: MeasuredSide, candidate: MeasuredSide, recordings: tuple[list[Recording], list[Recording]], quick: bool
) -> list[OperatorComparison]:
    """Compare kinds of operator; packing, which one side alone may have, counts with what it serves."""
    changes = operator_changes(*(operator_stats(charged(side.recordings)) for side in (baseline, candidate)))
    ticks: dict[tuple[str, bool], float] = {
        (c.kind, c.delegated): CLOCK_TICK_US * max(side.calls for side in (c.baseline, c.candidate) if side)
        for c in changes
        if c.delegated
    }
    before, after = _times_by_pair([[kind_times(r) for r in charged(side)] for side in recordings])
    parts = compare_parts(before, after, ticks, quick)
    return [_operator(change, parts.get((change.kind, change.delegated))) for change in changes]


def _operator(change: OperatorChange, part: PartComparison | None) -> OperatorComparison:
    part = None if part is None or part.speedup is None or part.shortest_us < MIN_PART_US else part
    paired = (part.baseline_us, part.candidate_us) if part else (None, None)
    sides = (_cost(change.baseline, paired[0]), _cost(change.candidate, paired[1]))
    if part is None:
        return OperatorComparison(
            change.name, change.category, change.delegated, *sides, None, None, None, NO_VERDICT, False
        )
    return OperatorComparison(
        change.name,
        change.category,
        change.delegated,
        *sides,
        part.speedup,
        part.interval,
        part.p_value,
        part.verdict,
        part.verdict == SLOWER,
    )


def _cost(time: OperatorTime | None, paired_us: float | None) -> OperatorCost | None:
    """Return what a side's operators cost: by the pairs that the ratio comes from, where there is one."""
    if time is None:
        return None
    if paired_us is None or not time.calls:
        return OperatorCost(time.ms, time.call_us, time.calls, time.relative_spread)
    return OperatorCost(paired_us / 1000, paired_us / time.calls, time.calls, time.relative_spread)


def _layers(
    recordings: tuple[list[Recording], list[Recording]], layers: Sequence[Layer], quick: bool
) -> list[LayerComparison]:
    events = [max((events_per_run(r, len(layers)) for r in side), key=sum) for side in recordings]
    ticks = {
        number: CLOCK_TICK_US * max(side[number] for side in events)
        for number, layer in enumerate(layers)
        if layer.delegated
    }
    before, after = _times_by_pair([[layer_times(r, len(layers)) for r in side] for side in recordings])
    return [
        LayerComparison(
            layers[number].layer,
            layers[number].multiply_adds,
            part.baseline_us,
            part.candidate_us,
            part.speedup,
            part.interval,
            part.p_value,
            part.verdict,
        )
        for number, part in sorted(compare_parts(before, after, ticks, quick).items())
    ]


def _times_by_pair(sides: Sequence[Sequence[PartTimes[_Part]]]) -> tuple[dict[_Part, list[float]], ...]:
    """Return each side's times by part, one of each pair; a part that ran nowhere on a side is not among them."""
    pairs = [pair_times(first, second) for first, second in zip(*sides, strict=True)]
    ran = [{part for launch in side for part in launch.times_us} for side in sides]
    parts = [dict.fromkeys(part for pair in pairs for part in pair[side] if part in ran[side]) for side in (0, 1)]
    return tuple({part: [pair[side].get(part, 0.0) for pair in pairs] for part in parts[side]} for side in (0, 1))


def kind_times(recording: Recording) -> PartTimes[tuple[str, bool]]:
    """Return the times that each kind of operator takes in the executions of a launch."""
    t = recording.timeline
    rows = np.flatnonzero(t.leaf)
    kinds: dict[tuple[str, bool], int] = {}
    pairs = list(zip(t.name[rows].tolist(), t.delegated[rows].tolist(), strict=True))
    known = {pair: kinds.setdefault((kind(t.names[pair[0]]), pair[1]), len(kinds)) for pair in dict.fromkeys(pairs)}
    code = np.array([known[pair] for pair in pairs], np.int64)
    sums = np.bincount(code * t.runs + t.run[rows], t.duration_ns[rows], len(kinds) * t.runs)
    times = sums.reshape(len(kinds), t.runs) / _NS_PER_US
    return PartTimes(dict(zip(kinds, times, strict=True)), recording.rounds)


def layer_times(recording: Recording, layers: int) -> PartTimes[int]:
    """Return the times of each layer in the executions of a launch; layers that did not run left out."""
    times = times_per_run(recording, layers) / _NS_PER_US
    ran = np.unique(recording.layers[recording.layers >= 0])
    return PartTimes({int(number): times[number] for number in ran}, recording.rounds)
