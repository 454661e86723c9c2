# SPDX-License-Identifier: Apache-2.0
"""A device behind a POSIX shell, as the pipeline sees it (`Device` in devices/__init__.py).

A kind of device derives from it and says what it alone knows: how it is described, its state,
and what it sets before a run and puts back. Nothing is asked of the device but a POSIX shell
with `env`, and what Linux has below /proc.
"""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path, PurePosixPath

from model_profiling.errors import MeasurementError, UserError
from model_profiling.pipeline.cpu import affinity
from model_profiling.pipeline.cpu.features import CpuFeatures
from model_profiling.pipeline.cpu.layout import normal_architecture
from model_profiling.pipeline.devices.posix import conducting, diagnosis, launching
from model_profiling.pipeline.devices.posix.bundle import Bundle, bundle_of, has_glibc
from model_profiling.pipeline.devices.posix.files import RemoteFiles
from model_profiling.pipeline.devices.posix.shell import Lost, PosixShell, quote
from model_profiling.pipeline.lockstep.conductor import Conducted, LaunchCommand
from model_profiling.pipeline.lockstep.script import Cue
from model_profiling.pipeline.runners import Runner, choose_runner, cross
from model_profiling.pipeline.runners.executor_runner import ExecutorRunner
from model_profiling.pipeline.runners.native import NativeRunner
from model_profiling.pipeline.runners.native_build import NativeBuild, build_native
from model_profiling.processes import ChildResult

_AFFINITY = 'in "cpu_affinity" of the config'


class PosixDevice:
    """One device while a run lasts; see `Device` for what each method promises.

    Parameters
    ----------
    cpu : as the device's own system reports it.
    system : what the device runs, in words: "Android 15 (API 35)".
    folder : the device's folder for this run, below one that may be written to and executed from.
    """

    name: str
    virtual = ""
    emulated = False
    #: What makes a runner for such a device, said where one lacks; "" where nothing of the kit's does.
    builds = ""

    def __init__(self, shell: PosixShell, cpu: CpuFeatures, system: str, folder: PurePosixPath) -> None:
        self._shell, self._cpu, self._system = shell, cpu, system
        self._files = RemoteFiles(shell, folder)
        self._bundles: dict[str, Bundle] = {}
        self._there: dict[str, PurePosixPath] = {}

    @cached_property
    def native_build(self) -> NativeBuild | None:
        """The native runner for this device: with glibc the one on ExecuTorch's wheel, which needs that."""
        machine = self._cpu.architecture
        with self._explained("looking for its loader"):
            if not has_glibc(self._shell, machine):
                return self._native_without_glibc()
        if platform.system() == "Linux" and normal_architecture(platform.machine()) == machine:
            return build_native()
        return cross.build_cross() if machine == "aarch64" and cross.can_build() else None

    def _native_without_glibc(self) -> NativeBuild | None:
        """Return the native runner for a system without glibc: None where a kind of device knows of none."""
        return None

    def describe(self) -> dict[str, object]:
        return {"system": self._system, "machine": self._cpu.architecture}

    def cpu_features(self) -> CpuFeatures:
        return self._cpu

    def max_frequency_khz(self) -> Mapping[int, int]:
        return {}

    def probe_ns(self) -> int | None:
        """Return None: a kind of device that can time fixed work says so."""
        return None

    def runner(self, kind: str, runner_path: str | None) -> Runner:
        if runner_path is not None:
            return self._pushed(choose_runner(kind, runner_path))
        if kind == "python" or self.native_build is None:
            what = (
                "the python runner does not run on a device"
                if kind == "python"
                else f"the native runner does not run on {self._system} ({self._cpu.architecture})"
            )
            fix = 'give each experiment a "runner_path" of a build for the device'
            raise UserError(what, 'in "runner" of the config', f"{fix}: {self.builds}" if self.builds else fix)
        return self._pushed(NativeRunner(self.native_build))

    def _pushed(self, runner: Runner) -> Runner:
        """Return the runner once it is known what goes to the device with it."""
        if isinstance(runner, NativeRunner):
            path, build = runner.build.path, runner.build
        else:
            assert isinstance(runner, ExecutorRunner)  # the python runner is refused before
            path, build = runner.path, None
        with self._explained("looking for its libraries"):
            self._bundles[str(path)] = bundle_of(self._shell, path, self._cpu.architecture, build)
        return runner

    def check_cores(self, cores: tuple[int, ...] | None) -> tuple[int, ...] | None:
        if cores is None:
            return None
        with self._explained("trying taskset"):
            answer = self._shell.shell(
                f"command -v taskset >/dev/null || exit 127; taskset {affinity.mask(cores)} true"
            )
            if answer.status == 127:
                raise UserError("the device has no taskset to pin a launch with", _AFFINITY, "remove the key")
            if not answer.ok:
                status = self._shell.shell("grep Cpus_allowed_list /proc/self/status").text
                allowed = status.partition(":")[2].strip()
                raise UserError(f"the device has no cores {list(cores)} to pin to", _AFFINITY, f"use some of {allowed}")
        return cores

    @contextmanager
    def session(self) -> Iterator[None]:
        try:
            with self._explained("ending what an earlier run left"):
                launching.end_launch(self._shell, self._files.folder)
            yield
        finally:
            with self._explained("removing what was pushed"):
                launching.end_launch(self._shell, self._files.folder)
                self._files.remove()

    def settle(self) -> None:
        pass

    def state(self) -> dict[str, object]:
        return {}

    def void_reason(self, before: Mapping[str, object], after: Mapping[str, object]) -> str | None:
        return None

    def push(self, path: Path) -> Path:
        local = str(path.resolve())
        if local not in self._there:
            with self._explained(f"pushing {path.name}"):
                self._there[local] = self._files.push({path.name: path}) / path.name
        return Path(self._there[local])

    def workspace(self, work: Path) -> Path:
        with self._explained("making room for a launch"):
            return Path(self._files.fresh_workspace(_workspace_name(work)))

    def collect(self, work: Path) -> None:
        with self._explained("bringing back what the launch wrote"):
            self._files.pull_workspace(work, _workspace_name(work))

    def run(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        timeout_s: float,
        log: Path,
        affinity: tuple[int, ...] | None = None,
    ) -> ChildResult:
        words, settings = self._there_as(argv, env)
        with self._explained("launching"):
            child = launching.launch(
                self._shell, self._files.folder, words, settings, timeout_s=timeout_s, log=log, cores=affinity
            )
            if child.timed_out:
                launching.end_launch(self._shell, self._files.folder)
            return child

    def _there_as(self, argv: Sequence[str], env: Mapping[str, str]) -> tuple[list[str], dict[str, str]]:
        """Return a command with the device's paths, its program and libraries being there."""
        folder = self._push_bundle(argv[0])
        local = {str(path): str(folder / name) for name, path in self._bundles[argv[0]].files.items()}
        settings = {"LD_LIBRARY_PATH": str(folder), **{key: local.get(value, value) for key, value in env.items()}}
        return [local.get(word, word) for word in argv], settings

    @property
    def most_sides(self) -> int:
        """How many processes the device's own script can talk to, where it has FIFOs at all."""
        return 0 if self.without_turns else conducting.MOST_SIDES

    @cached_property
    def without_turns(self) -> str:
        with self._explained("trying a FIFO"):
            return conducting.why_no_fifo(self._shell, self._files.folder)

    def conduct(self, steps: Sequence[Cue], commands: Sequence[LaunchCommand], limit_s: float) -> Conducted:
        sides = []
        for command in commands:
            argv, env = self._there_as(command.argv, command.env)
            folder = self._files.workspace(_workspace_name(command.work))
            sides.append(conducting.RemoteSide(argv, env, command.cores, folder))
        script = conducting.script_for(steps, sides)
        said = commands[0].work / "conducted"
        with self._explained("taking turns"):
            child = launching.launch(
                self._shell, self._files.folder, ["sh", "-c", script], {}, timeout_s=limit_s, log=said, cores=None
            )
            if child.timed_out:
                launching.end_launch(self._shell, self._files.folder)
            for command, side in zip(commands, sides, strict=True):
                text = self._shell.shell(f"cat {quote(side.log)} 2>/dev/null").text
                with open(command.log, "a", encoding="utf-8") as log:
                    log.write(text)
        output = said.read_text(encoding="utf-8", errors="replace")
        argvs = [side.argv for side in sides]
        return conducting.conducted(output, steps, argvs, child.duration_s, [command.log for command in commands])

    def free_memory_bytes(self) -> int | None:
        with self._explained("reading its free memory"):
            told = self._shell.shell("grep MemAvailable /proc/meminfo").text
        words = told.split()
        return int(words[1]) * 1024 if len(words) > 1 and words[1].isdigit() else None

    def _push_bundle(self, program: str) -> PurePosixPath:
        if program not in self._there:
            bundle = self._bundles[program]
            with self._explained(f"pushing {bundle.program} and its libraries"):
                self._there[program] = self._files.push(bundle.files)
        return self._there[program]

    def diagnose(self, child: ChildResult) -> str:
        try:
            return diagnosis.likely_cause(self._shell, self._files.folder, self._cpu, child)
        except Lost:
            return ""

    @contextmanager
    def _explained(self, doing: str) -> Iterator[None]:
        """Turn a lost connection into the error that says what became of the device."""
        try:
            yield
        except Lost as lost:
            became = self._whereabouts()
            raise MeasurementError(f"{doing}: {lost}" + (f"; {became}" if became else "")) from lost

    def _whereabouts(self) -> str:
        """Say what became of the device after its connection was lost; "" where nobody can know."""
        return ""


def _workspace_name(work: Path) -> str:
    """Return the name on the device of the folder that stands for a local one."""
    return work.name.lstrip(".") or "launch"
