# SPDX-License-Identifier: Apache-2.0
"""What a device is doing around a launch: heat, clocks, battery; and whether it is throttling."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from model_profiling.pipeline.devices.adb.client import Adb
from model_profiling.pipeline.devices.adb.identity import BOOT_COMMAND
from model_profiling.pipeline.devices.posix.sections import ask, each_core, numbers_by_core

#: PowerManager.THERMAL_STATUS_*, developer.android.com/reference/android/os/PowerManager:
#: from "light" on the system throttles.
THERMAL_STATUS = ("none", "light", "moderate", "severe", "critical", "emergency", "shutdown")
_CPU_SENSOR = 0  # Temperature.TYPE_CPU

_COMMANDS = {
    "thermal": "dumpsys thermalservice",
    "battery": "dumpsys battery",
    "frequencies": each_core("scaling_cur_freq"),
    "limits": each_core("scaling_max_freq"),
    "governors": "cat /sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_governor",
    "load": "cat /proc/loadavg",
    "boot": BOOT_COMMAND,
}


def read_state(adb: Adb) -> dict[str, Any]:
    """Return the device's state now; what it does not report is left out.

    `thermal_status` as in `THERMAL_STATUS`, `temperature_c` of the hottest CPU sensor and
    `battery_temperature_c` in degrees Celsius, `battery_percent`, `frequency_khz` and
    `frequency_limit_khz` in the order of the cores, `governor`, `load1`, `boot`.

    Raises
    ------
    Lost : the connection ended first.
    """
    said = ask(adb, _COMMANDS)
    state: dict[str, object] = {**parse_thermal(said["thermal"]), **parse_battery(said["battery"])}
    for key, section in (("frequency_khz", "frequencies"), ("frequency_limit_khz", "limits")):
        if by_core := numbers_by_core(said[section]):
            state[key] = [by_core[core] for core in sorted(by_core)]
    if governors := sorted(set(said["governors"].split())):
        state["governor"] = "+".join(governors)
    if load := re.match(r"\d+\.\d+", said["load"]):
        state["load1"] = float(load[0])
    if said["boot"]:
        state["boot"] = said["boot"]
    return state


def parse_thermal(text: str) -> dict[str, object]:
    """Return status and CPU temperature of a `dumpsys thermalservice`."""
    thermal: dict[str, object] = {}
    if status := re.search(r"Thermal Status: (\d)", text):
        thermal["thermal_status"] = int(status[1])
    # The cached values may be old: those of the hardware layer are asked for by the dump itself.
    current = text.partition("Current temperatures from HAL:")[2].partition("Current cooling devices")[0] or text
    values = [
        float(value)
        for value, kind in re.findall(r"mValue=(-?\d+(?:\.\d+)?), mType=(-?\d+)", current)
        if int(kind) == _CPU_SENSOR
    ]
    if values:
        thermal["temperature_c"] = max(values)
    return thermal


def parse_battery(text: str) -> dict[str, object]:
    """Return temperature and level of a `dumpsys battery`, which counts tenths of a degree."""
    battery: dict[str, object] = {}
    if tenths := re.search(r"^\s*temperature: (-?\d+)", text, re.MULTILINE):
        battery["battery_temperature_c"] = int(tenths[1]) / 10
    if level := re.search(r"^\s*level: (\d+)", text, re.MULTILINE):
        battery["battery_percent"] = int(level[1])
    return battery


def throttling(state: Mapping[str, Any], limits_at_start: Sequence[int] | None) -> str | None:
    """Say what shows that the device is throttling, or return None.

    Its thermal status where it reports one. Else a core's clock that is limited to less than
    as the run began (`limits_at_start`, as `frequency_limit_khz`): governors of some phones
    move the limits for other reasons too, so they only stand in.
    """
    status = state.get("thermal_status")
    if status is not None:
        return f"thermal status {status}, {status_name(status)}" if status else None
    limits = state.get("frequency_limit_khz")
    for core, (now, then) in enumerate(zip(limits or (), limits_at_start or (), strict=False)):
        if now < then:
            return f"core {core} is limited to {now / 1e6:.2f} GHz, {then / 1e6:.2f} GHz at the start"
    return None


def status_name(status: int) -> str:
    return THERMAL_STATUS[status] if status < len(THERMAL_STATUS) else "unknown"


def heat(state: Mapping[str, object]) -> str:
    """Return the temperatures in words, for a line on the screen."""
    known = [
        f"{name} {state[key]:.1f} °C"
        for key, name in (("temperature_c", "CPU"), ("battery_temperature_c", "battery"))
        if key in state
    ]
    return ", ".join(known) or "no temperature reported"
