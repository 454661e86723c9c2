# SPDX-License-Identifier: Apache-2.0
"""Where launches run. A device hides whether that is this host, an emulator or a phone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Protocol

from model_profiling.errors import UserError
from model_profiling.pipeline import host_state
from model_profiling.pipeline.config import Config
from model_profiling.pipeline.cpu.features import CpuFeatures
from model_profiling.pipeline.lockstep.conductor import Conducted, LaunchCommand
from model_profiling.pipeline.lockstep.script import Cue
from model_profiling.pipeline.runners import Runner, choose_runner
from model_profiling.pipeline.runners.native import NativeRunner
from model_profiling.pipeline.runners.native_build import NativeBuild
from model_profiling.processes import ChildResult


class Device(Protocol):
    """What the orchestrator asks of a device.

    Paths given to `run` are the device's own: `push` and `workspace` return them, and
    `collect` brings what a launch wrote back to this host. `native_build` is the native runner
    built for this device, None where that is this host's own. `virtual` says what shows that the
    CPU is not real hardware, whose times would mean something; it is empty where it is, and for
    the kit's own emulated device. `emulated` is True of both: the analysis makes nothing of their times.
    """

    @property
    def name(self) -> str: ...

    @property
    def native_build(self) -> NativeBuild | None: ...

    @property
    def virtual(self) -> str: ...

    @property
    def emulated(self) -> bool: ...

    def describe(self) -> dict[str, object]:
        """Return what the manifest records: system, release, machine."""

    def cpu_features(self) -> CpuFeatures:
        """Return the CPU as the device's own system reports it."""

    def state(self) -> dict[str, object]:
        """Return temperature, frequency, governor and load, as far as they can be read."""

    def probe_ns(self) -> int | None:
        """Return the time of a fixed piece of CPU work in ns; None where none can be run."""

    def max_frequency_khz(self) -> Mapping[int, int]:
        """Return each core's maximum frequency in kHz; empty where the system does not say."""

    def check_cores(self, cores: tuple[int, ...] | None) -> tuple[int, ...] | None:
        """Return `cores`, or raise `UserError` where launches cannot be pinned to them."""

    def runner(self, kind: str, runner_path: str | None) -> Runner:
        """Return the runner that a config asks for, as `choose_runner`; UserError where it cannot run here."""

    def session(self) -> AbstractContextManager[None]:
        """Make the device ready for launches, and put it back as it was however they end."""

    def settle(self) -> None:
        """Wait until the device is fit to be measured; MeasurementError where it does not become so."""

    def void_reason(self, before: Mapping[str, object], after: Mapping[str, object]) -> str | None:
        """Say why a launch between these two states does not count; None where it does."""

    def diagnose(self, child: ChildResult) -> str:
        """Return the likely cause of a launch's failure, "" where nothing points to one."""

    def push(self, path: Path) -> Path:
        """Make a local file available to launches and return its path there."""

    def workspace(self, work: Path) -> Path:
        """Return the device's own, empty folder that stands for the local folder `work`."""

    def collect(self, work: Path) -> None:
        """Bring what a launch wrote to the workspace into the local folder `work`."""

    def run(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        timeout_s: float,
        log: Path,
        affinity: tuple[int, ...] | None,
    ) -> ChildResult:
        """Run one launch to its end, pinned to the cores in `affinity` where given."""

    @property
    def most_sides(self) -> int:
        """How many processes can take turns (`conduct`); 0 where none can."""

    @property
    def without_turns(self) -> str:
        """Why no process can take turns; "" where some can."""

    def conduct(self, steps: Sequence[Cue], commands: Sequence[LaunchCommand], limit_s: float) -> Conducted:
        """Start the sides of a pair and have them take turns; `limit_s` is that of an answer.

        Raises
        ------
        SideFailed : one of them failed; none is left alive.
        """

    def free_memory_bytes(self) -> int | None:
        """Return how much memory launches can have; None where the device does not say."""


def refuse_mode(config: Config) -> None:
    """Raise the `UserError` of a configuration that sets a device's mode where launches run on this host."""
    if config.device_mode is not None:
        raise UserError(
            "this host has no device modes",
            'in "device_mode" of the config',
            "remove the key, or use android_pipeline.py",
        )


class OnThisHost:
    """What devices share whose launches run on this host: files stay where they are, nothing is set or put back."""

    native_build: NativeBuild | None
    virtual = ""
    emulated = False
    most_sides = 1000
    without_turns = ""

    def runner(self, kind: str, runner_path: str | None) -> Runner:
        if self.native_build and runner_path is None:
            return NativeRunner(self.native_build)
        return choose_runner(kind, runner_path)

    def session(self) -> AbstractContextManager[None]:
        return nullcontext()

    def settle(self) -> None:
        pass

    def void_reason(self, before: Mapping[str, object], after: Mapping[str, object]) -> str | None:
        return None

    def diagnose(self, child: ChildResult) -> str:
        return ""

    def push(self, path: Path) -> Path:
        return path.resolve()

    def workspace(self, work: Path) -> Path:
        return work.resolve()

    def collect(self, work: Path) -> None:
        pass  # the launch wrote there itself

    def free_memory_bytes(self) -> int | None:
        return host_state.free_memory_bytes()
