# SPDX-License-Identifier: Apache-2.0
"""Sums one side of a run up: its latency, its launches, where its traced time went."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence

import numpy as np

from model_profiling.analysis.comparing.latency import six_numbers
from model_profiling.analysis.comparing.sides import MeasuredSide, launch_median_ms, median_ms
from model_profiling.analysis.summary import ExperimentSummary, TokenRate, TracedTimes
from model_profiling.pipeline.run_directory import Launch


def summarize(side: MeasuredSide, tokens: int | None) -> ExperimentSummary:
    """Return what one experiment came to at one thread count; `tokens` is how many an execution computes."""
    times_ms = [launch_median_ms(launch) for launch in side.launches]
    return ExperimentSummary(
        latency_ms=six_numbers(side.latencies_ms),
        time_ms=statistics.geometric_mean(times_ms),
        launches=len(side.launches),
        executions=len(side.latencies_ms),
        load_ms=_median(x.load_ms for x in side.launches),
        peak_rss_mib=_median(x.peak_rss_mib for x in side.launches),
        tracer_overhead_percent=_tracer_overhead(side.launches),
        traced=_traced(side),
        token_rate=None if tokens is None else TokenRate.of(tokens, times_ms),
    )


def _traced(side: MeasuredSide) -> TracedTimes | None:
    whole = side.breakdown
    if whole is None:
        return None
    time_ms = statistics.geometric_mean(float(np.median(r.timeline.method_ns)) / 1e6 for r in side.recordings)
    return TracedTimes(
        categories_ms={name: share * time_ms for name, share in whole.mean_shares().items()},
        delegated_ms=whole.mean_share(whole.delegated) * time_ms,
        portable_ms=whole.mean_share(whole.portable) * time_ms,
        delegate_overhead_ms=whole.mean_share(whole.delegate_overhead) * time_ms,
        operator_overhead_ms=whole.mean_share(whole.operator_overhead) * time_ms,
        latency_ms=six_numbers(side.traced_ms),
        time_ms=time_ms,
        executions=len(side.traced_ms),
        unmapped_operators=tuple(side.unmapped()),
        attributed_percent=side.attributed_percent(),
    )


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(statistics.median(known)) if known else None


def _tracer_overhead(launches: Sequence[Launch]) -> float | None:
    """Return the tracer's cost in percent: the median over launches of traced to untraced time."""
    # An upstream executor_runner times and traces the same executions: no ratio tells its tracer's cost.
    ratios = [
        median_ms(x.counted_traced_ns) / median_ms(x.latency_ns)
        for x in launches
        if x.traced_ns and x.traced_ns != x.latency_ns
    ]
    return 100 * (statistics.median(ratios) - 1) if ratios else None
