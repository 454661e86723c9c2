# SPDX-License-Identifier: Apache-2.0
"""Experiments whose kernels come from a log that was recorded."""

from __future__ import annotations

from pathlib import Path

from support.stand_in import stand_in

ON, OFF = "a64-sme2on__qemu-sme-on", "a64-smeoff__qemu-sme-on"
PIPELINE = "scripts/mac_pipeline.py"
ARM = {"mode": "timing", "runs": 2, "warmup": 0, "traced_runs": 1, "threads": [1]}


def logged(name: str, runner: Path, **changes: object) -> dict[str, object]:
    """Return an experiment that takes kernels from a runner's log."""
    return {"name": name, "mode": "xnntrace", "runner_path": str(runner), **changes}


def both_builds(folder: Path) -> list[dict[str, object]]:
    """Return an experiment for the build with SME2 and one for that without, recorded with MobileNetV3-Small."""
    return [logged("log_on", stand_in(folder, ON, "mv3_fp32")), logged("log_off", stand_in(folder, OFF, "mv3_fp32"))]
