# SPDX-License-Identifier: Apache-2.0
"""Which device: what `adb devices` lists, the one that is meant, and the states that need a fix."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from model_profiling.errors import UserError, nearest
from model_profiling.pipeline.devices.adb.client import Adb, clean, words_of
from model_profiling.pipeline.devices.posix.shell import last_line
from model_profiling.processes import ChildResult

READY = "device"
_CONNECT_S = 30.0
_DEFAULT_PORT = 5555
#: The states of adb's own source (`ConnectionState` in adb.h, `to_string` in transport.cpp);
#: "no permissions" is followed by a reason of several words.
_STATES = (
    "device",
    "offline",
    "unauthorized",
    "authorizing",
    "connecting",
    "bootloader",
    "recovery",
    "rescue",
    "sideload",
    "host",
    "detached",
    "unknown",
    "no device",
    "no permissions",
)
_LINE = re.compile(rf"(\S+)\s+({'|'.join(_STATES)})(?:\s+(.*))?")
_FIXES = {
    "unauthorized": 'unlock its screen and accept this computer under "Allow USB debugging?", then try again',
    "authorizing": 'unlock its screen and accept this computer under "Allow USB debugging?", then try again',
    "offline": "reconnect the cable or the network, or restart adb (adb kill-server), then try again",
    "connecting": "wait a moment, then try again",
    "no permissions": "let your user use the USB device: on Linux install android-sdk-platform-tools-common (its udev "
    "rules), join the group plugdev, reconnect, then adb kill-server",
    "recovery": "restart it into Android (adb reboot)",
    "sideload": "restart it into Android (adb reboot)",
    "rescue": "restart it into Android (adb reboot)",
    "bootloader": "restart it into Android (fastboot reboot)",
}


@dataclass(frozen=True)
class Listed:
    """One line of `adb devices -l`; `state` without a reason that may follow, `model` may be empty."""

    serial: str
    state: str
    model: str = ""

    def __str__(self) -> str:
        return f"{self.serial} ({', '.join(filter(None, (self.model, self.state)))})"


def parse_devices(text: str) -> list[Listed]:
    """Return the devices that `adb devices -l` lists, in its order; other lines are passed over."""
    devices = []
    for line in text.splitlines():
        if match := _LINE.fullmatch(line.rstrip()):
            model = re.search(r"\bmodel:(\S+)", match[3] or "")
            devices.append(Listed(match[1], match[2], model[1].replace("_", " ") if model else ""))
    return devices


def list_devices(adb: Adb) -> list[Listed]:
    """Return the devices that the adb server knows; starts the server where none runs."""
    child = replace(adb, serial="").call("devices", "-l")
    if not child.ok:
        raise UserError(
            f"adb cannot list its devices ({words_of(child)})",
            f"with {adb.program}",
            "try `adb devices` by hand; ADB_SERVER_SOCKET and ANDROID_ADB_SERVER_PORT must name a server that runs",
        )
    return parse_devices(child.output)


def choose(adb: Adb, serial: str | None, flag: str = "--serial") -> Adb:
    """Return `adb` for the one device that is meant: `serial`, else $ANDROID_SERIAL, else the only one there.

    `flag` is what named `serial`.

    Raises
    ------
    UserError : none, several, none of that serial, or one that is not ready, with its fix.
    """
    devices = list_devices(adb)
    wanted, where = (serial, f"in {flag}") if serial else (os.environ.get("ANDROID_SERIAL"), "in ANDROID_SERIAL")
    if wanted:
        device = _of_serial(devices, wanted, where)
    elif len(devices) == 1:
        device = devices[0]
    elif devices:
        raise UserError(
            f"{len(devices)} devices are connected: {', '.join(map(str, devices))}",
            "over adb",
            "name one with --serial",
        )
    else:
        raise UserError(
            "no device is connected",
            "over adb",
            "connect one with USB debugging switched on, or name one on the network with --remote-device HOST:PORT",
        )
    if device.state != READY:
        raise UserError(
            f'the device {device.serial} is in the state "{device.state}"',
            "over adb",
            _FIXES.get(device.state, 'bring it to the state "device" (see adb devices)'),
        )
    return replace(adb, serial=device.serial)


def _of_serial(devices: Sequence[Listed], wanted: str, where: str) -> Listed:
    for device in devices:
        if device.serial == wanted:
            return device
    there = f"name one of {', '.join(map(str, devices))}" if devices else "no device is connected: connect it"
    raise UserError(f"there is no device {wanted}{nearest(wanted, [d.serial for d in devices])}", where, there)


def network_serial(address: str) -> str:
    """Return the serial that adb gives a device at HOST or HOST:PORT; UserError where it is neither."""
    match = re.fullmatch(r"(\[[0-9A-Fa-f:.%\w]+\]|[^\s:\[\]]+)(?::(\d{1,5}))?", address)
    port = int(match[2] or _DEFAULT_PORT) if match else 0
    if not match or address.startswith("-") or not 0 < port < 65536:
        raise UserError(f"{address} is no HOST:PORT", "in --remote-device", "write for example 192.168.1.20:5555")
    return f"{match[1]}:{port}"


def connect(adb: Adb, serial: str) -> ChildResult:
    """Connect to a device on the network, anew where adb holds a connection that is dead; return adb's answer."""
    plain = replace(adb, serial="")
    if state_of(plain, serial) not in ("", READY):
        # Else adb says that it is connected, and tries again by itself, some time.
        plain.call("disconnect", serial)
    return plain.call("connect", serial, timeout_s=_CONNECT_S)


def state_of(adb: Adb, serial: str) -> str:
    """Return a device's state, "" where adb does not know it."""
    return next((d.state for d in list_devices(adb) if d.serial == serial), "")


@contextmanager
def connected(adb: Adb, address: str) -> Iterator[str]:
    """Connect to a device on the network and yield its serial; disconnect it again if this connected it.

    Raises
    ------
    UserError : the address is none, or nothing that speaks adb answers there.
    """
    serial, plain = network_serial(address), replace(adb, serial="")
    known = serial in [d.serial for d in list_devices(plain) if d.state == READY]
    child = connect(plain, serial)
    # Its exit status is 0 for a refused connection too, in the versions before 30.
    said = clean(last_line(child.output))
    if "connected to" not in said and "failed to authenticate" not in said:
        plain.call("disconnect", serial)
        raise UserError(
            f"no device answers ({words_of(child)})",
            f"at {serial} (--remote-device)",
            "switch wireless debugging on there, correct the address, or pair first (adb pair)",
        )
    try:
        yield serial
    finally:
        if not known:
            plain.call("disconnect", serial)
