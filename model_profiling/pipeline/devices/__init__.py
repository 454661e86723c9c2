# SPDX-License-Identifier: Apache-2.0
"""Where launches run. A device hides whether that is this host, an emulator or a phone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from model_profiling.pipeline.cpu_features import CpuFeatures
from model_profiling.pipeline.runners.build import NativeBuild
from model_profiling.processes import ChildResult


class Device(Protocol):
    """What the orchestrator asks of a device.

    Paths given to `run` are the device's own: `push` and `workspace` return them, and
    `collect` brings what a launch wrote back to this host. `native_build` is the native runner
    built for this device, None where that is this host's own.
    """

    name: str
    native_build: NativeBuild | None

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

    def push(self, path: Path) -> Path:
        """Make a local file available to launches and return its path there."""

    def workspace(self, work: Path) -> Path:
        """Return the device's own, empty folder that stands for the local folder `work`."""

    def collect(self, work: Path) -> None:
        """Bring what a launch wrote to the workspace into the local folder `work`."""

    def run(self, argv: Sequence[str], *, env: Mapping[str, str], timeout_s: float, log: Path,
            affinity: tuple[int, ...] | None) -> ChildResult:
        """Run one launch to its end, pinned to the cores in `affinity` where given."""


class OnThisHost:
    """File handling of devices whose launches run on this host: files stay where they are."""

    def push(self, path: Path) -> Path:
        return path.resolve()

    def workspace(self, work: Path) -> Path:
        return work.resolve()

    def collect(self, work: Path) -> None:
        pass  # the launch wrote there itself
