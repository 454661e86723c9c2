# SPDX-License-Identifier: Apache-2.0
"""Compares two experiments: the whole model by pairs of launches, and operator by operator."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from model_profiling.analysis.arms import Arm, Blocks
from model_profiling.analysis.highlights import OperatorChange, OperatorTime, compare_operators, dominant, operator_time
from model_profiling.analysis.tables import OperatorStats, operator_stats
from model_profiling.paired_statistics import Estimate, drift_percent, estimate, verdict

_NS_PER_MS = 1e6


@dataclass(frozen=True)
class PairedLaunches:
    """The launch medians of the pairs that count, in ms, in the pairs' order."""

    pairs: tuple[int, ...]
    baseline_ms: tuple[float, ...]
    candidate_ms: tuple[float, ...]


def paired_launches(blocks: Blocks, baseline: str, candidate: str, threads: int) -> PairedLaunches:
    """Return the launches to compare; a launch is one sample, summarized by its median execution."""
    chosen = [(pair, block) for (t, pair), block in sorted(blocks.items())
              if t == threads and baseline in block and candidate in block]
    return PairedLaunches(
        tuple(pair for pair, _ in chosen),
        *(tuple(launch_median_ms(block[name].latency_ns) for _, block in chosen) for name in (baseline, candidate)))


def launch_median_ms(latency_ns: Sequence[int]) -> float:
    """Return the median of one launch's executions in ms."""
    return statistics.median(latency_ns) / _NS_PER_MS


def compare(baseline: Arm, candidate: Arm, blocks: Blocks, noise_floor_percent: float | None,
            quick: bool) -> dict[str, object] | None:
    """Return an entry of the summary's `comparisons`, None where the two share no pair that counts."""
    paired = paired_launches(blocks, baseline.experiment, candidate.experiment, baseline.threads)
    if not paired.pairs:
        return None
    result = estimate(paired.baseline_ms, paired.candidate_ms)
    entry: dict[str, object] = {
        "baseline": baseline.experiment, "candidate": candidate.experiment, "threads": baseline.threads,
        "pairs": result.pairs, "speedup": result.speedup, "ci95": _interval(result), "p_value": result.p_value,
        "noise_floor_percent": noise_floor_percent, "verdict": verdict(result, noise_floor_percent, quick),
    }
    if baseline.breakdown is not None and candidate.breakdown is not None:
        entry["bottleneck"] = {side: _bottleneck(arm.breakdown.mean_shares())
                               for side, arm in (("baseline", baseline), ("candidate", candidate))}
        entry["operators"] = [_operator_entry(change) for change in operator_changes(
            operator_stats(baseline.recordings), operator_stats(candidate.recordings))]
    return entry


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


def _operator_entry(change: OperatorChange) -> dict[str, object]:
    entry: dict[str, object] = {"name": change.name, "category": change.category, "delegated": change.delegated}
    for side, times in (("baseline", change.baseline), ("candidate", change.candidate)):
        for key in ("ms", "call_us", "calls", "relative_spread"):
            entry[f"{side}_{key}"] = getattr(times, key) if times else None
    return entry | {"speedup": change.speedup, "slower": change.slower}


def drift_of(arm: Arm) -> float:
    """Return how far an arm's launch medians drifted over the run, in percent of their level."""
    return drift_percent([launch.index for launch in arm.launches],
                         [launch_median_ms(launch.latency_ns) for launch in arm.launches])
