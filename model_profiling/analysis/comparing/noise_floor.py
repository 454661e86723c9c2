# SPDX-License-Identifier: Apache-2.0
"""The noise floor of a machine, from a calibration run (--aa): what it shows where nothing differs."""

from __future__ import annotations

from collections.abc import Sequence

from model_profiling.analysis.comparing.comparison import Comparison
from model_profiling.paired_statistics import Estimate, noise_floor_percent
from model_profiling.pipeline.calibration import FLOOR_SCHEMA_VERSION
from model_profiling.pipeline.manifest import Manifest


def noise_floor(manifest: Manifest, comparisons: Sequence[Comparison]) -> dict[str, object]:
    """Return the content of `noise_floor.json`, by thread count.

    `noise_floor_percent` is how far the interval of the arm against itself reaches from 1.
    `calibrated` is False where that interval excludes 1: the machine then shows a
    difference between equals, and no verdict from it can be trusted today.
    """
    floors, calibrated = {}, {}
    for comparison in comparisons:
        interval = comparison.interval
        if interval is not None:
            floors[str(comparison.threads)] = noise_floor_percent(
                Estimate(comparison.speedup, interval.low, interval.high, comparison.p_value, None, comparison.pairs)
            )
            calibrated[str(comparison.threads)] = 1 in interval
    return {
        "schema_version": FLOOR_SCHEMA_VERSION,
        "noise_floor_percent": floors,
        "calibrated": calibrated,
        "quick": manifest.quick,
        "model": manifest.model.id,
        "cpu": manifest.cpu.model_name,
        "measured": manifest.started,
    }


def known_floors(manifest: Manifest) -> dict[int, float]:
    """Return the floors in percent by thread count that a run began with; empty without a calibration."""
    floors = (manifest.noise_floor or {}).get("noise_floor_percent")
    return {int(threads): float(value) for threads, value in floors.items()} if isinstance(floors, dict) else {}
