# SPDX-License-Identifier: Apache-2.0
"""This host as the device: files stay where they are, a launch is a child process."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

from model_profiling.errors import UserError
from model_profiling.pipeline import host_state
from model_profiling.pipeline.config import Config
from model_profiling.pipeline.cpu import features as cpu_features
from model_profiling.pipeline.cpu.features import CpuFeatures
from model_profiling.pipeline.devices import OnThisHost, refuse_mode
from model_profiling.pipeline.leases import SHARE_VARIABLE, THIS_HOST, lease
from model_profiling.pipeline.lockstep.conductor import Conducted, LaunchCommand, TurnTaker, conduct
from model_profiling.pipeline.lockstep.script import Cue
from model_profiling.processes import ChildResult, run_child


class LocalDevice(OnThisHost):
    """macOS or Linux, the machine the kit runs on."""

    name = "local"
    native_build = None

    def describe(self) -> dict[str, object]:
        return {
            "system": platform.system(),
            "release": platform.release(),
            "machine": platform.machine(),
            "python": platform.python_version(),
            "priority": host_state.priority(),
        }

    def cpu_features(self) -> CpuFeatures:
        return cpu_features.detect()

    def state(self) -> dict[str, object]:
        return host_state.read_state()

    def probe_ns(self) -> int:
        return host_state.probe_ns()

    def check_cores(self, cores: tuple[int, ...] | None) -> tuple[int, ...] | None:
        with _pinned(cores):
            return cores

    def max_frequency_khz(self) -> Mapping[int, int]:
        return host_state.max_frequency_khz()

    def run(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        timeout_s: float,
        log: Path,
        affinity: tuple[int, ...] | None = None,
    ) -> ChildResult:
        with _pinned(affinity):
            return run_child(argv, env=env, timeout_s=timeout_s, log=log)

    def conduct(self, steps: Sequence[Cue], commands: Sequence[LaunchCommand], limit_s: float) -> Conducted:
        def start(side: int) -> TurnTaker:
            with _pinned(commands[side].cores):
                return TurnTaker(commands[side], limit_s)

        return conduct(steps, start)


@contextmanager
def open_local(config: Config, share_cpu: bool = True, wait_s: float = 0.0) -> Iterator[LocalDevice]:
    """Yield this host for a run; `wait_s` is how long another run may take to end.

    Raises
    ------
    UserError : the configuration is for a device; another run measures on this machine, and `share_cpu` is not set.
    """
    refuse_mode(config)
    shared = share_cpu or os.environ.get(SHARE_VARIABLE)
    with nullcontext() if shared else lease(THIS_HOST, str(config.output_root), wait_s):
        yield LocalDevice()


@contextmanager
def _pinned(cores: tuple[int, ...] | None) -> Iterator[None]:
    """Pin this process for a moment, so that the child it starts inherits the mask."""
    if cores is None:
        yield
        return
    if not hasattr(os, "sched_setaffinity"):
        raise UserError(
            f"{platform.system()} cannot pin a process to cores", 'in "cpu_affinity" of the config', "remove the key"
        )
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, cores)
    except OSError as error:
        raise UserError(
            f"this machine has no cores {list(cores)} to pin to",
            'in "cpu_affinity" of the config',
            f"use some of {sorted(before)}",
        ) from error
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
