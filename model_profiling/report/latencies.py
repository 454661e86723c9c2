# SPDX-License-Identifier: Apache-2.0
"""Latencies with the digits that their spread supports: the same in the report, on the screen and in the summaries."""

from __future__ import annotations

from model_profiling.analysis.comparing.latency import SixNumbers
from model_profiling.analysis.metrics import ExperimentMetrics
from model_profiling.analysis.summary import ExperimentSummary
from model_profiling.report.load import RunData
from model_profiling.report.quantities import Quantity, quantity
from model_profiling.rounding import places_for


def half_spread_ms(experiment: ExperimentSummary, metrics: ExperimentMetrics) -> float:
    """Return by how much an experiment's latencies are uncertain, in ms.

    Launches are the samples, so their medians' range says which digit is uncertain; a
    single launch leaves only the spread of its executions.
    """
    medians = [launch.median_ms for launch in metrics.launches]
    if len(medians) > 1:
        return (max(medians) - min(medians)) / 2
    return (experiment.latency_ms.p90 - experiment.latency_ms.p10) / 2


def spread_of(numbers: SixNumbers) -> float:
    """Return half the range from the 10th to the 90th percentile, over the median."""
    return (numbers.p90 - numbers.p10) / 2 / numbers.median


def latency_places(run: RunData, experiment: str, threads: int) -> int:
    """Return the decimals of an experiment's latencies in ms."""
    summary, metrics = run.summary.experiments[experiment][threads], run.metrics.experiments[experiment][threads]
    return places_for(half_spread_ms(summary, metrics), summary.latency_ms.median)


def execution_time(run: RunData, experiment: str, threads: int) -> Quantity:
    """Return the time of an execution in ms, as ratios are made of it.

    Of a run that an older version of the kit analyzed it is the median of all executions.
    """
    held = run.summary.experiments[experiment][threads]
    key = ("latency_ms", "median") if held.time_ms is None else ("time_ms",)
    value = held.latency_ms.median if held.time_ms is None else held.time_ms
    path = run.in_summary("experiments", experiment, threads, *key)
    return quantity(value, path, latency_places(run, experiment, threads))
