# SPDX-License-Identifier: Apache-2.0
"""Check all that a sweep would need, without doing it: every problem is found, not the first alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from model_profiling.errors import UserError
from model_profiling.findings import Finding, error, ok, warning
from model_profiling.fleet.config import SweepConfig, load_sweep_config
from model_profiling.fleet.directory import SweepDirectory
from model_profiling.fleet.performing import serial_of
from model_profiling.fleet.plan import SweepPlan, make_plan
from model_profiling.fleet.wanted_device import ADB, LOCAL
from model_profiling.pipeline.cpu import features
from model_profiling.wording import count, listed


def check_sweep(path: Path) -> list[Finding]:
    """Return one finding for each check of the sweep's configuration at `path`."""
    try:
        sweep = load_sweep_config(path)
        plan = make_plan(sweep, seed=0)
    except UserError as problem:
        return [error("config", f"{problem.what}, {problem.where}", problem.fix)]
    told = listed([count(len(plan.programs), "program"), count(len(plan.cells), "cell")])
    return [ok("config", told), *_threads(plan), *_devices(sweep), _output(sweep)]


def _threads(plan: SweepPlan) -> Iterator[Finding]:
    most = max((cell.threads or 1 for cell in plan.cells if cell.device.kind == LOCAL), default=None)
    if most is None:
        return
    cores = features.detect().cores
    if most > cores:
        yield warning("threads", f"{most} threads on {cores} cores", "use at most as many as there are cores")
    else:
        yield ok("threads", f"at most {most} on {cores} cores")


def _devices(sweep: SweepConfig) -> Iterator[Finding]:
    """Yield whether each phone is there: one that is not is no reason to wait with the others."""
    for device in sweep.devices:
        if device.kind == ADB:
            try:
                yield ok("devices", f"{device.label}: {serial_of(device) or device.address}")
            except UserError as problem:
                yield warning("devices", f"{device.label}: {problem.what}, {problem.where}", problem.fix)


def _output(sweep: SweepConfig) -> Finding:
    directory = SweepDirectory(sweep.output_root)
    try:
        directory.check(None, quick=False, resume=True)
    except UserError as problem:
        return error("output folder", f"{problem.what}, {problem.where}", problem.fix)
    if directory.record.is_file():
        return warning("output folder", f"{directory.root} holds a sweep", "go on with it by --resume")
    return ok("output folder", str(directory.root))
