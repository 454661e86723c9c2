# SPDX-License-Identifier: Apache-2.0
"""Compares two experiments: the whole model by pairs of launches, and operator by operator, layer by layer."""

from __future__ import annotations

import numpy as np

from model_profiling.analysis.comparing.bottleneck import dominant
from model_profiling.analysis.comparing.compared_layers import compare_layers
from model_profiling.analysis.comparing.comparison import (
    SIDES,
    Bottleneck,
    Comparison,
    Interval,
    OperatorComparison,
    OperatorCost,
    TracedComparison,
)
from model_profiling.analysis.comparing.operators import OperatorChange, OperatorTime, operator_changes
from model_profiling.analysis.comparing.paired_launches import PairedLaunches, TracedPairs, paired_launches
from model_profiling.analysis.comparing.part_times import PartTimes, times_by_pair
from model_profiling.analysis.comparing.parts import CLOCK_TICK_US, MIN_PART_US, PartComparison, compare_parts
from model_profiling.analysis.comparing.sides import Blocks, MeasuredSide
from model_profiling.analysis.traces.breakdown import Breakdown
from model_profiling.analysis.traces.operator_stats import operator_stats
from model_profiling.analysis.traces.operators import kind
from model_profiling.analysis.traces.packing import charged
from model_profiling.analysis.traces.recording import Recording
from model_profiling.paired_statistics import NO_VERDICT, SLOWER, estimate, verdict

_NS_PER_US = 1e3


def compare(
    baseline: MeasuredSide, candidate: MeasuredSide, blocks: Blocks, noise_floor_percent: float | None, quick: bool
) -> Comparison | None:
    """Compare two sides of one thread count; None where the two share no pair that counts.

    Beside the whole model it compares operators by kind and, where the layers of both are known,
    layer by layer: the same layer may run under other names on the two sides.
    """
    paired = paired_launches(blocks, baseline.experiment, candidate.experiment, baseline.threads)
    if not paired.pairs:
        return None
    result = estimate(paired.baseline_ms, paired.candidate_ms, paired.baseline_first)
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
        traced=_traced(baseline, candidate, paired, quick),
    )


def _traced(
    baseline: MeasuredSide, candidate: MeasuredSide, paired: PairedLaunches, quick: bool
) -> TracedComparison | None:
    if baseline.breakdown is None or candidate.breakdown is None:
        return None
    pairs = paired.traced(baseline, candidate)
    programs = (baseline.program, candidate.program)
    return TracedComparison(
        dict(zip(SIDES, map(_bottleneck, (baseline.breakdown, candidate.breakdown)), strict=True)),
        tuple(_operators(baseline, candidate, pairs, quick)),
        tuple(compare_layers(pairs, programs, quick)) if all(p.layers for p in programs) else None,
    )


def _bottleneck(whole: Breakdown) -> Bottleneck | None:
    largest = dominant(whole.mean_shares())
    return None if largest is None else Bottleneck(*largest)


def _operators(
    baseline: MeasuredSide, candidate: MeasuredSide, pairs: TracedPairs, quick: bool
) -> list[OperatorComparison]:
    """Compare kinds of operator; packing, which one side alone may have, counts with what it serves."""
    changes = operator_changes(*(operator_stats(charged(side.recordings)) for side in (baseline, candidate)))
    ticks: dict[tuple[str, bool], float] = {
        (c.kind, c.delegated): CLOCK_TICK_US * max(side.calls for side in (c.baseline, c.candidate) if side)
        for c in changes
        if c.delegated
    }
    before, after = times_by_pair([[kind_times(r) for r in charged(side)] for side in pairs.sides])
    parts = compare_parts(before, after, ticks, quick, pairs.baseline_first)
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
    return PartTimes(dict(zip(kinds, times, strict=True)), recording.turns)
