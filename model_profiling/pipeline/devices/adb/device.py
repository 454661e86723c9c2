# SPDX-License-Identifier: Apache-2.0
"""A device over adb, as the pipeline sees it (`Device` in devices/__init__.py)."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath

from model_profiling.console import say
from model_profiling.errors import MeasurementError, UserError
from model_profiling.pipeline.config import Config
from model_profiling.pipeline.cpu import affinity
from model_profiling.pipeline.cpu.features import CpuFeatures
from model_profiling.pipeline.cpu.layout import normal_architecture
from model_profiling.pipeline.devices.adb import diagnosis, launching, state
from model_profiling.pipeline.devices.adb.bundle import Bundle, bundle_of, has_glibc
from model_profiling.pipeline.devices.adb.client import Adb, Lost, find_adb
from model_profiling.pipeline.devices.adb.cooling import Cooling
from model_profiling.pipeline.devices.adb.files import RemoteFiles, run_folder
from model_profiling.pipeline.devices.adb.identity import Identity, read_identity
from model_profiling.pipeline.devices.adb.modes import DEFAULT_MODE
from model_profiling.pipeline.devices.adb.restoring import Journal, apply_mode, restore
from model_profiling.pipeline.devices.adb.selection import choose, connected
from model_profiling.pipeline.devices.adb.whereabouts import Whereabouts, find_again
from model_profiling.pipeline.run_directory import RunDirectory
from model_profiling.pipeline.runners import Runner, build, cross
from model_profiling.pipeline.runners.executor_runner import ExecutorRunner
from model_profiling.pipeline.runners.native import NativeRunner
from model_profiling.processes import ChildResult

_AFFINITY = 'in "cpu_affinity" of the config'


@dataclass(frozen=True)
class Waits:
    """How long a run waits for its device: to cool, and, in seconds, to come back after a lost connection."""

    cooling: Cooling = field(default_factory=Cooling)
    patience_s: float = 15.0


@contextmanager
def open_device(
    config: Config, *, serial: str | None = None, address: str | None = None, keep: bool = False, waits: Waits = Waits()
) -> Iterator[AdbDevice]:
    """Yield the device that is meant, connected, with whatever an earlier run left changed put back.

    Parameters
    ----------
    serial, address : at most one of them; `address` is HOST:PORT, connected to and disconnected again.
    keep : leave what was pushed on the device.

    Raises
    ------
    UserError : no such device, several, one that is not ready, or adb is missing.
    """
    if serial and address:
        raise UserError("--serial and --remote-device name two devices", "on the command line", "give one of them")
    adb = Adb(find_adb())
    with connected(adb, address) if address else nullcontext(serial) as chosen:
        adb = choose(adb, chosen, "--remote-device" if address else "--serial")
        device = AdbDevice(adb, read_identity(adb), config, address=chosen if address else "", keep=keep, waits=waits)
        device.restore_left()
        yield device


class AdbDevice:
    """One device while a run lasts; see `Device` for what each method promises."""

    def __init__(
        self,
        adb: Adb,
        identity: Identity,
        config: Config,
        *,
        address: str = "",
        keep: bool = False,
        waits: Waits = Waits(),
    ) -> None:
        self.identity, self.virtual = identity, identity.virtual
        self.emulated = bool(identity.virtual)
        self.name = "adb, emulator" if self.emulated else "adb"
        self._adb, self._address, self._keep, self._waits = adb, address, keep, waits
        self._mode = config.device_mode or DEFAULT_MODE
        self._directory = RunDirectory(config.output_root)
        self._journal = Journal(self._directory.device_settings)
        self._files = RemoteFiles(adb, run_folder(config.output_root))
        self._bundles: dict[str, Bundle] = {}
        self._there: dict[str, PurePosixPath] = {}
        self._became: dict[str, str] = {}
        self._limits: object = None
        self._gone = False

    @cached_property
    def native_build(self) -> build.NativeBuild | None:
        """The native runner for this device: None on Android, whose libraries ExecuTorch's wheels do not fit."""
        machine = self.identity.cpu.architecture
        with self._explained("looking for its loader"):
            if not has_glibc(self._adb, machine):
                return None
        if platform.system() == "Linux" and normal_architecture(platform.machine()) == machine:
            return build.build_native()
        return cross.build_cross() if machine == "aarch64" and cross.can_build() else None

    def describe(self) -> dict[str, object]:
        return {**self.identity.to_json(), "device_mode": self._mode}

    def cpu_features(self) -> CpuFeatures:
        return self.identity.cpu

    def max_frequency_khz(self) -> Mapping[int, int]:
        return self.identity.max_frequency_khz

    def probe_ns(self) -> None:
        """Return None: the thermal status and the clocks' limits tell what the probe tells elsewhere."""

    def runner(self, kind: str, runner_path: str | None) -> Runner:
        if runner_path is not None:
            runner: Runner = ExecutorRunner.at(Path(runner_path))
            self._bundle(runner.path, None)
            return runner
        if kind == "python" or self.native_build is None:
            what = (
                "the python runner does not run on a device"
                if kind == "python"
                else f"the native runner does not run on {self.identity.system} ({self.identity.cpu.architecture})"
            )
            raise UserError(
                what,
                'in "runner" of the config',
                'give each experiment a "runner_path" of a build for the device: build_runners.sh --android makes them',
            )
        self._bundle(self.native_build.path, self.native_build)
        return NativeRunner(self.native_build)

    def _bundle(self, path: Path, native: build.NativeBuild | None) -> None:
        with self._explained("looking for its libraries"):
            self._bundles[str(path)] = bundle_of(self._adb, path, self.identity.cpu.architecture, native)

    def check_cores(self, cores: tuple[int, ...] | None) -> tuple[int, ...] | None:
        if cores is None:
            return None
        with self._explained("trying taskset"):
            answer = self._adb.shell(f"command -v taskset >/dev/null || exit 127; taskset {affinity.mask(cores)} true")
            if answer.status == 127:
                raise UserError("the device has no taskset to pin a launch with", _AFFINITY, "remove the key")
            if not answer.ok:
                allowed = self._adb.shell("grep Cpus_allowed_list /proc/self/status").text.partition(":")[2].strip()
                raise UserError(f"the device has no cores {list(cores)} to pin to", _AFFINITY, f"use some of {allowed}")
        return cores

    @contextmanager
    def session(self) -> Iterator[None]:
        try:
            with self._explained("setting its mode"):
                launching.end_launch(self._adb, self._files.folder)
                self._became = apply_mode(self._adb, self.identity.serial, self._mode, self._journal)
                now = state.read_state(self._adb)
            self._limits = now.get("frequency_limit_khz")
            if "thermal_status" not in now:
                say(
                    "note: the device reports no thermal status"
                    + (
                        ": it counts as throttling where a core's clock is limited more than now"
                        if self._limits
                        else ""
                    )
                )
            yield
        finally:
            self._tidy_up()

    def restore_left(self) -> None:
        """Put back what an earlier run into the same place could not."""
        if not self._journal.path.is_file():
            return
        with self._directory.locked(), self._explained("putting its settings back"):
            if done := restore(self._adb, self.identity.serial, self._journal):
                say(f"put back what an earlier run left changed: {', '.join(done)}")
        for change in self._journal.read():
            say(f"note: {change.name} of the device {change.device} still waits to be put back to {change.before}")

    def _tidy_up(self) -> None:
        """End, restore, remove; when the connection is lost wait for it once."""
        for last in (False, True):
            try:
                launching.end_launch(self._adb, self._files.folder)
                restore(self._adb, self.identity.serial, self._journal)
                if not self._keep:
                    self._files.remove()
                return
            except Lost:
                if last or self._gone or not self._find_again().back:
                    break
        left = ", ".join(c.name for c in self._journal.read()) or "nothing"
        say(
            f"note: the device {self._adb.serial} is out of reach: {self._files.folder} stays on it, and to be put back "
            f"there is {left}; the next run into {self._directory.root} does it"
        )

    def settle(self) -> None:
        self._waits.cooling.wait(self.state, lambda now: state.throttling(now, self._limits))

    def state(self) -> dict[str, object]:
        with self._explained("reading its state"):
            now = state.read_state(self._adb)
        if now.get("boot", self.identity.boot) != self.identity.boot:
            raise MeasurementError(
                f"the device {self._adb.serial} has restarted since this run began, so its settings and "
                "its temperature are others"
            )
        return {**now, **({"settings": self._became} if self._became else {})}

    def void_reason(self, before: Mapping[str, object], after: Mapping[str, object]) -> str | None:
        return state.throttling(before, self._limits) or state.throttling(after, self._limits)

    def push(self, path: Path) -> Path:
        local = str(path.resolve())
        if local not in self._there:
            with self._explained(f"pushing {path.name}"):
                self._there[local] = self._files.push({path.name: path}) / path.name
        return Path(self._there[local])

    def workspace(self, work: Path) -> Path:
        with self._explained("making room for a launch"):
            return Path(self._files.fresh_workspace())

    def collect(self, work: Path) -> None:
        with self._explained("bringing back what the launch wrote"):
            self._files.pull_workspace(work)

    def run(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        timeout_s: float,
        log: Path,
        affinity: tuple[int, ...] | None = None,
    ) -> ChildResult:
        folder = self._push_bundle(argv[0])
        local = {str(path): str(folder / name) for name, path in self._bundles[argv[0]].files.items()}
        words = [local.get(word, word) for word in argv]
        settings = {"LD_LIBRARY_PATH": str(folder), **{key: local.get(value, value) for key, value in env.items()}}
        with self._explained("launching"):
            child = launching.launch(
                self._adb, self._files.folder, words, settings, timeout_s=timeout_s, log=log, cores=affinity
            )
            if child.timed_out:
                launching.end_launch(self._adb, self._files.folder)
            return child

    def _push_bundle(self, program: str) -> PurePosixPath:
        if program not in self._there:
            bundle = self._bundles[program]
            with self._explained(f"pushing {bundle.program} and its libraries"):
                self._there[program] = self._files.push(bundle.files)
        return self._there[program]

    def diagnose(self, child: ChildResult) -> str:
        try:
            return diagnosis.likely_cause(self._adb, self._files.folder, self.identity.cpu, child)
        except Lost:
            return ""

    @contextmanager
    def _explained(self, doing: str) -> Iterator[None]:
        """Turn a lost connection into the error that says what became of the device."""
        try:
            yield
        except Lost as lost:
            there = self._find_again()
            self._gone = not there.back  # then nobody waits for it a second time
            raise MeasurementError(f"{doing}: {lost}; {there.words}") from lost

    def _find_again(self) -> Whereabouts:
        return find_again(self._adb, self._address, self.identity.boot, self._waits.patience_s)
