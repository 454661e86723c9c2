# SPDX-License-Identifier: Apache-2.0
"""Runs of the Android pipeline on the device for tests."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from model_profiling.pipeline.devices.adb.device import Waits
from support.adb import ADDRESS, TestDevice
from support.kit import KIT, Finished, kit

PIPELINE = "scripts/android_pipeline.py"
#: For cuts whose device is back at once.
QUICK = Waits(patience_s=5.0)
UNHURRIED = Waits()
HOSTILE = """it's a "$(touch x)" `model`; & *"""


def pipeline(device: TestDevice, *arguments: object, **options: object) -> Finished:
    return kit(PIPELINE, *arguments, env=device.environment, timeout=300, **options)


def plain(name: str, **changes: object) -> dict[str, object]:
    return {"name": name, "runs": 3, "warmup": 1, "traced_runs": 2, "threads": [1], **changes}


@contextlib.contextmanager
def started(device: TestDevice, config: Path, *flags: str) -> Iterator[subprocess.Popen]:
    """Run the pipeline beside the test, its output and errors together; end it at the latest with the context."""
    child = subprocess.Popen(
        [sys.executable, str(KIT / PIPELINE), "--config", str(config), "--remote-device", ADDRESS, *flags],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        stdin=subprocess.DEVNULL,
        env={**os.environ, **device.environment},
    )
    try:
        yield child
    finally:
        child.kill()
        child.wait()
        child.stdout.close()
