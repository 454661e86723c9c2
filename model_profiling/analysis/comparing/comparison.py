# SPDX-License-Identifier: Apache-2.0
"""Compares two experiments: the whole model by pairs of launches, and operator by operator."""

from __future__ import annotations

import statistics
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from model_profiling.analysis.comparing.arms import Arm, Blocks
from model_profiling.analysis.comparing.bottleneck import dominant
from model_profiling.analysis.comparing.operators import OperatorChange, OperatorTime, compare_operators, operator_time
from model_profiling.analysis.comparing.parts import CLOCK_TICK_US, MIN_PART_US, PartComparison, compare_parts
from model_profiling.analysis.traces.layers import Layer, events_per_run, layer_times
from model_profiling.analysis.traces.operator_stats import OperatorStats, operator_stats
from model_profiling.analysis.traces.operators import kind
from model_profiling.analysis.traces.packing import charged
from model_profiling.analysis.traces.recording import Recording
from model_profiling.paired_statistics import NO_VERDICT, SLOWER, Estimate, drift_percent, estimate, verdict

_NS_PER_US, _NS_PER_MS = 1e3, 1e6


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
        *(tuple(launch_median_ms(block[name].latency_ns) for _, block in chosen) for name in (baseline, candidate)),
    )


def launch_median_ms(latency_ns: Sequence[int]) -> float:
    """Return the median of one launch's executions in ms."""
    return statistics.median(latency_ns) / _NS_PER_MS


def compare(
    baseline: Arm,
    candidate: Arm,
    blocks: Blocks,
    noise_floor_percent: float | None,
    quick: bool,
    layers: Sequence[Layer] = (),
) -> dict[str, object] | None:
    """Return an entry of the summary's `comparisons`, None where the two share no pair that counts.

    Beside the whole model it compares operators by kind and, where `layers` are known,
    layer by layer: the same layer may run under other names on the two sides.
    """
    paired = paired_launches(blocks, baseline.experiment, candidate.experiment, baseline.threads)
    if not paired.pairs:
        return None
    result = estimate(paired.baseline_ms, paired.candidate_ms)
    entry: dict[str, object] = {
        "baseline": baseline.experiment,
        "candidate": candidate.experiment,
        "threads": baseline.threads,
        "pairs": result.pairs,
        "speedup": result.speedup,
        "ci95": _interval(result),
        "p_value": result.p_value,
        "noise_floor_percent": noise_floor_percent,
        "verdict": verdict(result, noise_floor_percent, quick),
    }
    if baseline.breakdown is not None and candidate.breakdown is not None:
        entry["bottleneck"] = {
            side: _bottleneck(arm.breakdown.mean_shares())
            for side, arm in (("baseline", baseline), ("candidate", candidate))
        }
        sides = _recordings_by_pair(baseline, candidate)
        entry["operators"] = _operators(baseline, candidate, sides, quick)
        if layers:
            entry["layers"] = _layers(sides, layers, quick)
    return entry


def _recordings_by_pair(baseline: Arm, candidate: Arm) -> tuple[list[Recording], list[Recording]]:
    """Return the recordings of the pairs that both sides have traced, in the pairs' order."""
    first, second = ({r.pair: r for r in arm.recordings} for arm in (baseline, candidate))
    common = sorted(first.keys() & second.keys())
    return [first[pair] for pair in common], [second[pair] for pair in common]


def _operators(
    baseline: Arm, candidate: Arm, sides: tuple[list[Recording], list[Recording]], quick: bool
) -> list[dict[str, object]]:
    """Compare kinds of operator; packing, which one side alone may have, counts with what it serves."""
    changes = operator_changes(*(operator_stats(charged(arm.recordings)) for arm in (baseline, candidate)))
    ticks = {
        (c.kind, c.delegated): CLOCK_TICK_US * max(side.calls for side in (c.baseline, c.candidate) if side)
        for c in changes
        if c.delegated
    }
    found = compare_parts(*(_launch_times(map(kind_times, charged(side))) for side in sides), ticks, quick)
    return [_operator_entry(change, found.get((change.kind, change.delegated))) for change in changes]


def _layers(
    sides: tuple[list[Recording], list[Recording]], layers: Sequence[Layer], quick: bool
) -> list[dict[str, object]]:
    events = [max((events_per_run(r, len(layers)) for r in side), key=sum) for side in sides]
    ticks = {
        number: CLOCK_TICK_US * max(side[number] for side in events)
        for number, layer in enumerate(layers)
        if layer.delegated
    }
    times = (_launch_times(layer_times(r, len(layers)) for r in side) for side in sides)
    found = compare_parts(*times, ticks, quick)
    return [
        {"layer": layers[number].layer, "multiply_adds": layers[number].multiply_adds, **part.to_json()}
        for number, part in sorted(found.items())
    ]


def _launch_times(launches: Iterable[Mapping[Hashable, float]]) -> dict[Hashable, list[float]]:
    """Turn each launch's times by part into each part's times by launch; a part that did not run took 0."""
    rows = list(launches)
    return {key: [row.get(key, 0.0) for row in rows] for key in dict.fromkeys(k for row in rows for k in row)}


def kind_times(recording: Recording) -> dict[tuple[str, bool], float]:
    """Return the median time in us that each kind of operator takes in one execution of a launch."""
    t = recording.timeline
    rows = np.flatnonzero(t.leaf)
    kinds: dict[tuple[str, bool], int] = {}
    pairs = zip(t.name[rows].tolist(), t.delegated[rows].tolist())
    known = {pair: kinds.setdefault((kind(t.names[pair[0]]), pair[1]), len(kinds)) for pair in dict.fromkeys(pairs)}
    code = np.array([known[pair] for pair in zip(t.name[rows].tolist(), t.delegated[rows].tolist())], np.int64)
    sums = np.bincount(code * t.runs + t.run[rows], t.duration_ns[rows], len(kinds) * t.runs)
    medians = np.median(sums.reshape(len(kinds), t.runs), axis=1) / _NS_PER_US
    return dict(zip(kinds, medians.tolist()))


def _interval(result: Estimate) -> list[float] | None:
    return None if result.low is None or result.high is None else [result.low, result.high]


def _bottleneck(shares: Mapping[str, float]) -> dict[str, object] | None:
    found = dominant(shares)
    return None if found is None else {"category": found[0], "percent": found[1]}


def operator_times(operators: Sequence[OperatorStats]) -> list[OperatorTime]:
    """Return operators in the form that comparing takes."""
    return [operator_time({key: str(value) for key, value in asdict(row).items()}) for row in operators]


def operator_changes(baseline: Sequence[OperatorStats], candidate: Sequence[OperatorStats]) -> list[OperatorChange]:
    """Put the operators of two experiments side by side, the most expensive first."""
    return compare_operators(operator_times(baseline), operator_times(candidate))


def _operator_entry(change: OperatorChange, part: PartComparison | None) -> dict[str, object]:
    entry: dict[str, object] = {"name": change.name, "category": change.category, "delegated": change.delegated}
    for side, times in (("baseline", change.baseline), ("candidate", change.candidate)):
        for key in ("ms", "call_us", "calls", "relative_spread"):
            entry[f"{side}_{key}"] = getattr(times, key) if times else None
    if part is None or part.speedup is None or min(part.baseline_us, part.candidate_us) < MIN_PART_US:
        return entry | {"speedup": None, "ci95": None, "p_value": None, "verdict": NO_VERDICT, "slower": False}
    paired = part.to_json()
    return (
        entry
        | {key: paired[key] for key in ("speedup", "ci95", "p_value", "verdict")}
        | {"slower": part.verdict == SLOWER}
    )


def drift_of(arm: Arm) -> float:
    """Return how far an arm's launch medians drifted over the run, in percent of their level."""
    return drift_percent(
        [launch.index for launch in arm.launches], [launch_median_ms(launch.latency_ns) for launch in arm.launches]
    )
