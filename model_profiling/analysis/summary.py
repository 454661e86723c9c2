# SPDX-License-Identifier: Apache-2.0
"""Builds what a run came to: analysis_summary.json, metrics.json and the pipeline summary."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

import numpy as np

from model_profiling.analysis.comparing.arms import Arm
from model_profiling.analysis.comparing.comparison import drift_of, launch_median_ms
from model_profiling.analysis.comparing.latency import classify_outliers, describe, six_numbers
from model_profiling.pipeline.manifest import Manifest
from model_profiling.pipeline.run_directory import Launch

SCHEMA_VERSION = 1
#: Launch medians that drift farther over a run than this, in percent, are worth a warning.
DRIFT_WARNING_PERCENT = 5.0


def experiment_entry(arm: Arm) -> dict[str, object]:
    """Return one experiment and thread count of `analysis_summary.json`.

    Category times are mean shares of the traced executions times the median traced
    execution, so that they sum to that median exactly.
    """
    entry: dict[str, object] = {
        "latency_ms": six_numbers(arm.latencies_ms),
        "launches": len(arm.launches),
        "executions": len(arm.latencies_ms),
        "load_ms": _median(x.load_ms for x in arm.launches),
        "peak_rss_mib": _median(x.peak_rss_mib for x in arm.launches),
        "tracer_overhead_percent": _tracer_overhead(arm.launches),
        "categories_ms": None,
        "delegated_ms": None,
        "portable_ms": None,
    }
    if arm.breakdown is not None:
        median = float(np.median(arm.traced_ms))
        whole = arm.breakdown
        entry |= {
            "categories_ms": {name: share * median for name, share in whole.mean_shares().items()},
            "delegated_ms": whole.mean_share(whole.delegated) * median,
            "portable_ms": whole.mean_share(whole.portable) * median,
            "delegate_overhead_ms": whole.mean_share(whole.delegate_overhead) * median,
            "operator_overhead_ms": whole.mean_share(whole.operator_overhead) * median,
            "traced_latency_ms": six_numbers(arm.traced_ms),
            "traced_executions": len(arm.traced_ms),
            "unmapped_operators": arm.unmapped(),
            "attributed_percent": arm.attributed_percent(),
        }
    return entry


def _median(values) -> float | None:
    known = [value for value in values if value is not None]
    return float(statistics.median(known)) if known else None


def _tracer_overhead(launches: Sequence[Launch]) -> float | None:
    """Return the tracer's cost in percent: the median over launches of traced to untraced time."""
    # An upstream executor_runner times and traces the same executions: no ratio tells its tracer's cost.
    ratios = [
        launch_median_ms(x.traced_ns) / launch_median_ms(x.latency_ns)
        for x in launches
        if x.traced_ns and x.traced_ns != x.latency_ns
    ]
    return 100 * (statistics.median(ratios) - 1) if ratios else None


def by_experiment(arms: Sequence[Arm], entry) -> dict[str, dict[str, object]]:
    """Return `entry(arm)` of every arm by experiment and thread count (as text, for JSON)."""
    found: dict[str, dict[str, object]] = {}
    for arm in arms:
        found.setdefault(arm.experiment, {})[str(arm.threads)] = entry(arm)
    return found


def analysis_summary(manifest: Manifest, arms: Sequence[Arm], comparisons: Sequence[Mapping]) -> dict[str, object]:
    """Return the content of `analysis_summary.json`."""
    return {
        "schema_version": SCHEMA_VERSION,
        "model": manifest.model.id,
        "feature": manifest.feature.label,
        "experiments": by_experiment(arms, experiment_entry),
        "comparisons": list(comparisons),
    }


def metrics(manifest: Manifest, arms: Sequence[Arm], launches: Sequence[Launch]) -> dict[str, object]:
    """Return the content of `metrics.json`: robust statistics, launches with their flags, drift."""
    return {
        "schema_version": SCHEMA_VERSION,
        "model": manifest.model.id,
        "experiments": by_experiment(arms, lambda arm: _metrics_entry(arm, launches)),
    }


def _metrics_entry(arm: Arm, launches: Sequence[Launch]) -> dict[str, object]:
    medians = [launch_median_ms(launch.latency_ns) for launch in arm.launches]
    own = [x for x in launches if (x.experiment, x.threads) == (arm.experiment, arm.threads)]
    return {
        "latency": describe(arm.latencies_ms).to_json(),
        "launches": [
            {
                "pair": launch.pair,
                "attempt": launch.attempt,
                "index": launch.index,
                "median_ms": median,
                "outlier": flag,
            }
            for launch, median, flag in zip(arm.launches, medians, classify_outliers(medians))
        ],
        "drift_percent": drift_of(arm),
        "void": [{"pair": x.pair, "attempt": x.attempt, "reason": x.void} for x in own if x.void],
        "failed": [
            {"pair": x.pair, "attempt": x.attempt, "exit_code": x.exit_code, "signal": x.signal}
            for x in own
            if not x.ok
        ],
    }


def notes(
    arms: Sequence[Arm], launches: Sequence[Launch], comparisons: Sequence[Mapping], wanted: Sequence[tuple[str, str]]
) -> list[str]:
    """Return what a reader should know before believing the numbers, one sentence each."""
    found = []
    void = sum(1 for launch in launches if launch.void)
    if void:
        found.append(f"{void} launches were void and do not count; their pairs were made again where possible.")
    for arm in arms:
        drift = drift_of(arm)
        if abs(drift) > DRIFT_WARNING_PERCENT:
            found.append(
                f"Launches of {arm.experiment} at {arm.threads} threads drifted by {drift:+.0f} % over the run."
            )
        if arm.unmapped():
            found.append(
                f"{arm.experiment} ran operators without a category of their own, counted as Other: "
                f"{', '.join(arm.unmapped())}."
            )
        if arm.breakdown is not None and (arm.breakdown.framework < 0).any():
            found.append(f"Operators of {arm.experiment} report more time than their method took.")
    compared = {(entry["baseline"], entry["candidate"]) for entry in comparisons}
    found.extend(
        f"{a} and {b} share no complete pair of launches, so they are not compared."
        for a, b in wanted
        if (a, b) not in compared
    )
    return found


def pipeline_summary(manifest: Manifest, summary: Mapping, remarks: Sequence[str]) -> dict[str, object]:
    """Return the content of `<model>_pipeline_summary.json`: a run on one page."""
    experiments = {
        name: {
            threads: {
                "median_ms": entry["latency_ms"]["median"],
                "p90_ms": entry["latency_ms"]["p90"],
                "launches": entry["launches"],
                "executions": entry["executions"],
            }
            for threads, entry in by_threads.items()
        }
        for name, by_threads in summary["experiments"].items()
    }
    compared = [{key: value for key, value in entry.items() if key != "operators"} for entry in summary["comparisons"]]
    return {
        "schema_version": SCHEMA_VERSION,
        "model": manifest.model.id,
        "feature": manifest.feature.to_json(),
        "executorch": manifest.executorch.to_json(),
        "cpu": manifest.cpu.model_name,
        "seed": manifest.seed,
        "quick": manifest.quick,
        "started": manifest.started,
        "finished": manifest.finished,
        "experiments": experiments,
        "comparisons": compared,
        "notes": list(remarks),
    }
