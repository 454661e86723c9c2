# SPDX-License-Identifier: Apache-2.0
"""A device over adb, as the pipeline sees it (`Device` in devices/__init__.py)."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from model_profiling.console import say
from model_profiling.errors import MeasurementError, UserError
from model_profiling.pipeline.config import Config
from model_profiling.pipeline.devices.adb import state
from model_profiling.pipeline.devices.adb.client import Adb, find_adb
from model_profiling.pipeline.devices.adb.cooling import Cooling
from model_profiling.pipeline.devices.adb.identity import Identity, read_identity
from model_profiling.pipeline.devices.adb.modes import DEFAULT_MODE
from model_profiling.pipeline.devices.adb.restoring import Journal, apply_mode, restore
from model_profiling.pipeline.devices.adb.selection import choose, connected
from model_profiling.pipeline.devices.adb.whereabouts import Whereabouts, find_again
from model_profiling.pipeline.devices.posix import launching
from model_profiling.pipeline.devices.posix.device import PosixDevice
from model_profiling.pipeline.devices.posix.files import run_folder
from model_profiling.pipeline.devices.posix.shell import Lost
from model_profiling.pipeline.leases import SHARE_VARIABLE, lease, phone
from model_profiling.pipeline.run_directory import RunDirectory
from model_profiling.pipeline.runners.native_build import NativeBuild
from model_profiling.pipeline.runners.source.native import native_of
from model_profiling.pipeline.runners.source.variants import ANDROID

#: The folder that adb's user may write to and execute from.
REMOTE_ROOT = PurePosixPath("/data/local/tmp")


@dataclass(frozen=True)
class Waits:
    """How long a run waits for its device: to cool, and, in seconds, to come back after a lost connection."""

    cooling: Cooling = field(default_factory=Cooling)
    patience_s: float = 15.0


@contextmanager
def open_adb(
    config: Config,
    *,
    serial: str | None = None,
    address: str | None = None,
    keep: bool = False,
    wait_s: float = 0.0,
    waits: Waits = Waits(),
) -> Iterator[AdbDevice]:
    """Yield the device that is meant, connected, with whatever an earlier run left changed put back.

    Parameters
    ----------
    serial, address : at most one of them; `address` is HOST:PORT, connected to and disconnected again.
    keep : leave what was pushed on the device.
    wait_s : how long another run on the device may take to end.

    Raises
    ------
    UserError : no such device, several, one that is not ready or that another run measures on; adb is missing.
    """
    if serial and address:
        raise UserError("--serial and --remote-device name two devices", "on the command line", "give one of them")
    adb = Adb(find_adb())
    with connected(adb, address) if address else nullcontext(serial) as chosen:
        adb = choose(adb, chosen, "--remote-device" if address else "--serial")
        identity = read_identity(adb)
        its_own = lease(phone(identity.serial, identity.boot), str(config.output_root), wait_s)
        with nullcontext() if os.environ.get(SHARE_VARIABLE) else its_own:
            device = AdbDevice(adb, identity, config, address=chosen or "" if address else "", keep=keep, waits=waits)
            device.restore_left()
            yield device


class AdbDevice(PosixDevice):
    """One device while a run lasts; see `Device` for what each method promises."""

    builds = "build_runners.sh --source android-arm64-native makes the native runner, --android all"

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
        super().__init__(adb, identity.cpu, identity.system, run_folder(REMOTE_ROOT, config.output_root))
        self.identity, self.virtual = identity, identity.virtual
        self.emulated = bool(identity.virtual)
        self.name = "adb, emulator" if self.emulated else "adb"
        self._adb, self._address, self._keep, self._waits = adb, address, keep, waits
        self._mode = config.device_mode or DEFAULT_MODE
        self._directory = RunDirectory(config.output_root)
        self._journal = Journal(self._directory.device_settings)
        self._became: dict[str, str] = {}
        self._limits: Sequence[int] | None = None
        self._gone = False

    def _native_without_glibc(self) -> NativeBuild | None:
        return native_of(ANDROID) if self._cpu.architecture == "aarch64" else None

    def describe(self) -> dict[str, object]:
        return {**self.identity.to_json(), "device_mode": self._mode}

    def max_frequency_khz(self) -> Mapping[int, int]:
        return self.identity.max_frequency_khz

    def probe_ns(self) -> None:
        """Return None: the thermal status and the clocks' limits tell what the probe tells elsewhere."""

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
            f"note: the device {self._adb.serial} is out of reach: {self._files.folder} stays on it, and to be put "
            f"back there is {left}; the next run into {self._directory.root} does it"
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

    def _whereabouts(self) -> str:
        there = self._find_again()
        self._gone = not there.back  # then nobody waits for it a second time
        return there.words

    def _find_again(self) -> Whereabouts:
        return find_again(self._adb, self._address, self.identity.boot, self._waits.patience_s)
