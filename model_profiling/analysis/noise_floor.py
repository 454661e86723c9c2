# SPDX-License-Identifier: Apache-2.0
"""The noise floor of a machine: written by a calibration run (--aa), read beside later runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from model_profiling.files import read_json
from model_profiling.paired_statistics import Estimate, noise_floor_percent
from model_profiling.pipeline.calibration import SUFFIX
from model_profiling.pipeline.run_directory import RunDirectory

_SCHEMA_VERSION = 1


def noise_floor(manifest: Mapping, comparisons: Sequence[Mapping]) -> dict[str, object]:
    """Return the content of `noise_floor.json`: what an A/A run says about this machine, by thread count."""
    floors = {}
    for entry in comparisons:
        if entry["ci95"] is not None:
            low, high = entry["ci95"]
            floors[str(entry["threads"])] = noise_floor_percent(
                Estimate(entry["speedup"], low, high, entry["p_value"], None, entry["pairs"]))
    return {
        "schema_version": _SCHEMA_VERSION, "noise_floor_percent": floors, "model": manifest["model"]["id"],
        "cpu": manifest["cpu"]["model_name"], "measured": manifest["started"]}


def read_noise_floor(directory: RunDirectory, manifest: Mapping) -> dict[int, float]:
    """Return the floors in percent by thread count, from the calibration of the same model on the same CPU.

    Empty where there is no such calibration: a floor measured elsewhere says nothing here.
    """
    calibration = RunDirectory(directory.root.with_name(directory.root.name + SUFFIX))
    if manifest.get("calibration") or not calibration.noise_floor.is_file():
        return {}
    plain = read_json(calibration.noise_floor, "noise floor")
    if not isinstance(plain, dict) or (plain.get("model"), plain.get("cpu")) != (
            manifest["model"]["id"], manifest["cpu"]["model_name"]):
        return {}
    return {int(threads): float(value) for threads, value in plain.get("noise_floor_percent", {}).items()}
