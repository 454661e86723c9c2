# SPDX-License-Identifier: Apache-2.0
"""What a device is: its system, its CPU with its features, its cores, which boot it is in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from model_profiling.errors import MeasurementError
from model_profiling.pipeline.cpu.features import CpuFeatures, parse_proc_cpuinfo
from model_profiling.pipeline.cpu.layout import normal_architecture
from model_profiling.pipeline.devices.adb.client import Adb
from model_profiling.pipeline.devices.posix.sections import ask, each_core, numbers_by_core

#: Another value after every start of the system; the second where a policy hides the first.
BOOT_COMMAND = "cat /proc/sys/kernel/random/boot_id || getprop ro.boottime.init"
_COMMANDS = {
    "properties": "getprop",
    "machine": "uname -m",
    "release": "uname -r",
    "cpuinfo": "cat /proc/cpuinfo",
    "frequencies": each_core("cpuinfo_max_freq"),
    "boot": BOOT_COMMAND,
}
#: Virtual hardware: the emulator's first and second board, and Cuttlefish.
_VIRTUAL_BOARDS = re.compile(r"goldfish|ranchu|cutf_cvm|vsoc")


@dataclass(frozen=True)
class Identity:
    """A device as it describes itself; `serial` is the system's own, or adb's where it has none.

    `virtual` names what shows that it is an emulator, and is empty on hardware.
    """

    serial: str
    name: str
    system: str
    release: str
    cpu: CpuFeatures
    max_frequency_khz: Mapping[int, int]
    boot: str
    virtual: str

    def to_json(self) -> dict[str, object]:
        return {
            "system": self.system,
            "release": self.release,
            "machine": self.cpu.architecture,
            "model": self.name,
            "serial": self.serial,
            **({"emulator": self.virtual} if self.virtual else {}),
        }


def read_identity(adb: Adb) -> Identity:
    """Ask a device what it is.

    Raises
    ------
    MeasurementError : it does not even say which CPU it has.
    Lost : the connection ended first.
    """
    said = ask(adb, _COMMANDS)
    if not said["machine"] or not said["cpuinfo"]:
        raise MeasurementError(f"the device {adb.serial} does not say which CPU it has (/proc/cpuinfo, uname)")
    properties = parse_properties(said["properties"])
    cpu = parse_proc_cpuinfo(said["cpuinfo"], normal_architecture(said["machine"]))
    name = " ".join(filter(None, (properties.get("ro.product.manufacturer"), properties.get("ro.product.model"))))
    chip = " ".join(filter(None, (properties.get("ro.soc.manufacturer"), properties.get("ro.soc.model"))))
    android, level = properties.get("ro.build.version.release"), properties.get("ro.build.version.sdk")
    return Identity(
        serial=properties.get("ro.serialno") or adb.serial,
        name=name or adb.serial,
        system=f"Android {android}" + (f" (API {level})" if level else "") if android else "Linux",
        release=properties.get("ro.build.id") or said["release"],
        cpu=replace(cpu, model_name=", ".join(filter(None, (name, chip))) or cpu.model_name),
        max_frequency_khz=numbers_by_core(said["frequencies"]),
        boot=said["boot"],
        virtual=virtual_hardware(properties),
    )


def parse_properties(text: str) -> dict[str, str]:
    """Return the properties that `getprop` printed; a value may go over several lines."""
    return dict(re.findall(r"^\[([^\]\n]+)\]: \[(.*?)\]\r?$", text, re.MULTILINE | re.DOTALL))


def virtual_hardware(properties: Mapping[str, str]) -> str:
    """Return the property that shows an emulator, as ``key=value``; "" on real hardware."""
    for key in ("ro.kernel.qemu", "ro.boot.qemu"):
        if properties.get(key) == "1":
            return f"{key}=1"
    for key in ("ro.hardware", "ro.boot.hardware", "ro.product.board"):
        if _VIRTUAL_BOARDS.search(properties.get(key, "")):
            return f"{key}={properties[key]}"
    return ""
