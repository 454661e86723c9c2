# SPDX-License-Identifier: Apache-2.0
"""Device modes: what of a device's settings a run changes, and how each is put back.

- ``fixed``: the device's fixed performance mode, clocks that it can hold for a long time, so
  that runs on different days can be compared;
- ``boost``: the highest clocks that it can be made to take, until it gets hot;
- ``app``: nothing is changed: clocks and scheduling as an app finds them.
"""

from __future__ import annotations

from dataclasses import dataclass

from model_profiling.pipeline.devices.adb.client import Adb
from model_profiling.pipeline.devices.posix.shell import last_line, quote

FIXED, BOOST, APP = "fixed", "boost", "app"
DEFAULT_MODE = FIXED

_FIXED_PERFORMANCE = "fixed_performance_mode"
_GOVERNOR = "governor"
_POLICIES = "/sys/devices/system/cpu/cpufreq/policy[0-9]*"
_UNSET = "null"  # what `settings get` prints for a key that is not there


@dataclass(frozen=True)
class Setting:
    """Something of the device that can be changed and put back."""

    name: str

    def read(self, adb: Adb) -> str | None:
        """Return the value now; None where the device lacks the setting or does not let it be changed."""
        if self.name == _FIXED_PERFORMANCE:
            # The system has no way to ask. Nothing but a tool like this one switches it on, and a restart
            # switches it off.
            return "false"
        if self.name == _GOVERNOR:
            governors = adb.shell(
                f'for p in {_POLICIES}; do [ -w $p/scaling_governor ] && echo "$p=$(cat $p/scaling_governor)"; done'
            ).text.split()
            return " ".join(governors) or None
        answer = adb.shell(f"settings get {self._place()}")
        return (last_line(answer.text) or None) if answer.ok else None

    def write(self, adb: Adb, value: str) -> str:
        """Set the value; return "" or the device's words where it refuses."""
        answer = adb.shell(self._script(value))
        return "" if answer.ok else last_line(answer.text) or f"status {answer.status}"

    def _script(self, value: str) -> str:
        if self.name == _FIXED_PERFORMANCE:
            return f"cmd power set-fixed-performance-mode-enabled {quote(value)}"
        if self.name == _GOVERNOR:
            return _governor_script(value)
        if value == _UNSET:
            return f"settings delete {self._place()}"
        return f"settings put {self._place()} {quote(value)}"

    def _place(self) -> str:
        return quote(self.name).replace(".", " ", 1)


def _governor_script(value: str) -> str:
    """Return the script for one governor on every policy, or for ``path=governor`` words as of `Setting.read`."""
    if "=" not in value:
        return (
            f"for p in {_POLICIES}; do [ ! -w $p/scaling_governor ] || echo {quote(value)} > $p/scaling_governor "
            "|| exit 1; done"
        )
    return " && ".join(
        f"echo {quote(word.partition('=')[2])} > {quote(word.partition('=')[0])}/scaling_governor"
        for word in value.split()
    )


_LOW_POWER = Setting("global.low_power")
_STAY_AWAKE = Setting("global.stay_on_while_plugged_in")
_ON_ANY_PLUG = "15"  # BatteryManager: AC 1, USB 2, wireless 4, dock 8

#: What each mode sets, in this order. A battery saver caps the clocks, and so does a screen that goes dark.
MODES: dict[str, tuple[tuple[Setting, str], ...]] = {
    FIXED: ((_LOW_POWER, "0"), (_STAY_AWAKE, _ON_ANY_PLUG), (Setting(_FIXED_PERFORMANCE), "true")),
    BOOST: ((_LOW_POWER, "0"), (_STAY_AWAKE, _ON_ANY_PLUG), (Setting(_GOVERNOR), "performance")),
    APP: (),
}
KNOWN_SETTINGS = frozenset(setting.name for changes in MODES.values() for setting, _ in changes)
