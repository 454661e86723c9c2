# SPDX-License-Identifier: Apache-2.0
"""An emulated Arm CPU as the device: QEMU's user mode runs aarch64 programs on this host.

What it shows exactly: which kernels run, how often, and what they compute. Its times say
nothing about any device.
"""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from model_profiling.errors import UserError, nearest
from model_profiling.pipeline.config import Config
from model_profiling.pipeline.cpu.features import CpuFeatures, words_from_proc_cpuinfo
from model_profiling.pipeline.cpu.layout import layouts, normal_architecture
from model_profiling.pipeline.devices import OnThisHost, refuse_mode
from model_profiling.pipeline.devices.emulated.qemu import Qemu, find_qemu
from model_profiling.pipeline.lockstep.conductor import Conducted, LaunchCommand, TurnTaker, conduct
from model_profiling.pipeline.lockstep.script import Cue
from model_profiling.pipeline.runners import cross
from model_profiling.pipeline.runners.native_build import NativeBuild, build_native
from model_profiling.processes import ChildResult, run_child

#: The CPU with all that QEMU can emulate, SME2 included.
EVERYTHING = "max"

_ASK_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class EmulatedDevice(OnThisHost):
    """An aarch64 CPU named as in ``qemu-aarch64 -cpu``, and the runner built for it.

    `sysroot` holds the C library that programs on it use: the cross compiler's, or on Arm
    Linux the system's own.
    """

    cpu: str
    qemu: Qemu
    native_build: NativeBuild
    sysroot: Path
    name: str = field(init=False, default="emulated")
    emulated: bool = field(init=False, default=True)

    @classmethod
    def of(cls, cpu: str = EVERYTHING) -> EmulatedDevice:
        """Return the device for a CPU, obtaining QEMU, the Arm wheel and the runner where they lack.

        Raises
        ------
        UserError : a part that cannot be had, or a CPU that this QEMU does not know.
        """
        qemu = find_qemu()
        if platform.system() == "Linux" and normal_architecture(platform.machine()) == "aarch64":
            device = cls(cpu, qemu, build_native(), Path("/"))
        else:
            device = cls(cpu, qemu, cross.build_cross(), cross.sysroot())
        device.cpu_features()  # an unknown CPU is found out here, not in the first launch
        return device

    def describe(self) -> dict[str, object]:
        return {
            "system": "Linux (emulated)",
            "release": f"QEMU {self.qemu.version}, -cpu {self.cpu}",
            "machine": "aarch64",
            "emulated_on": platform.machine(),
        }

    def cpu_features(self) -> CpuFeatures:
        return self._features

    @cached_property
    def _features(self) -> CpuFeatures:
        argv = self._guest([str(self.native_build.path), "--cpu-features"], {})
        child = run_child(argv, timeout_s=_ASK_TIMEOUT_S)
        if not child.ok:
            raise UserError(
                f"QEMU {self.qemu.version} cannot emulate the CPU {self.cpu} ({_last_line(child.output)})"
                f"{nearest(self.cpu, self._known_cpus())}",
                "for the emulated device",
                f"name one of `{self.qemu.path.name} -cpu help`, or {EVERYTHING}",
            )
        names = layouts()["aarch64"].names_from_system(words_from_proc_cpuinfo(child.output), "Linux")
        return CpuFeatures("aarch64", f"emulated Arm CPU ({self.cpu})", names, os.cpu_count() or 1)

    def _known_cpus(self) -> list[str]:
        child = run_child([self.qemu.path, "-cpu", "help"], timeout_s=_ASK_TIMEOUT_S)
        return re.findall(r"^\s+(\S+)$", child.output, re.MULTILINE)

    def state(self) -> dict[str, object]:
        return {}

    def probe_ns(self) -> None:
        """Return None: no time of an emulated CPU is worth comparing."""

    def max_frequency_khz(self) -> Mapping[int, int]:
        return {}

    def check_cores(self, cores: tuple[int, ...] | None) -> tuple[int, ...] | None:
        if cores is not None:
            raise UserError(
                "an emulated CPU has no cores to pin to", 'in "cpu_affinity" of the config', "remove the key"
            )
        return cores

    def run(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        timeout_s: float,
        log: Path,
        affinity: tuple[int, ...] | None = None,
    ) -> ChildResult:
        self.check_cores(affinity)
        return run_child(self._guest(argv, env), timeout_s=timeout_s, log=log)

    def conduct(self, steps: Sequence[Cue], commands: Sequence[LaunchCommand], limit_s: float) -> Conducted:
        def start(side: int) -> TurnTaker:
            command = commands[side]
            self.check_cores(command.cores)
            return TurnTaker(replace(command, argv=self._guest(command.argv, command.env), env={}), limit_s)

        return conduct(steps, start)

    def _guest(self, argv: Sequence[str], env: Mapping[str, str]) -> list[str]:
        """Return the host's command line; what `env` sets is for the guest alone, not for QEMU."""
        settings = [word for key, value in env.items() for word in ("-E", f"{key}={value}")]
        return [str(self.qemu.path), "-cpu", self.cpu, "-L", str(self.sysroot), *settings, *argv]


@contextmanager
def open_emulated(config: Config, *, cpu: str = EVERYTHING) -> Iterator[EmulatedDevice]:
    """Yield an emulated CPU for a run, as `EmulatedDevice.of`; UserError where the configuration is for a device."""
    refuse_mode(config)
    yield EmulatedDevice.of(cpu)


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].removeprefix("qemu-aarch64: ") if lines else "it said nothing"
