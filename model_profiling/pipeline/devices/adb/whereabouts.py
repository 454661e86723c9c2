# SPDX-License-Identifier: Apache-2.0
"""After a lost connection: is the device there again, has it restarted, or is it gone?"""

from __future__ import annotations

import time
from dataclasses import dataclass

from model_profiling.errors import UserError
from model_profiling.pipeline.devices.adb.client import Adb
from model_profiling.pipeline.devices.adb.identity import BOOT_COMMAND
from model_profiling.pipeline.devices.adb.selection import READY, connect, state_of
from model_profiling.pipeline.devices.posix.shell import Lost

_LOOK_S = 15.0
_PAUSE_S = 0.25


@dataclass(frozen=True)
class Whereabouts:
    """Where a device is; `back` says whether it answers, `words` the rest."""

    back: bool
    words: str


def find_again(adb: Adb, address: str, boot: str, patience_s: float) -> Whereabouts:
    """Look for a device for at most `patience_s` seconds, connecting to `address` where it has one.

    Parameters
    ----------
    boot : what `BOOT_COMMAND` printed before the connection was lost.
    """
    deadline = time.monotonic() + patience_s
    while True:
        state = _state(adb, address)
        if state == READY:
            try:
                now = adb.shell(BOOT_COMMAND, timeout_s=_LOOK_S).text.strip()
            except Lost:
                state = "unsteady"
            else:
                return Whereabouts(
                    True,
                    "the device has restarted since" if now != boot else "it answers again: only the connection broke",
                )
        if time.monotonic() >= deadline:
            return Whereabouts(False, f'it is in the state "{state}" now' if state else "it is no longer connected")
        time.sleep(_PAUSE_S)


def _state(adb: Adb, address: str) -> str:
    try:
        if address:
            connect(adb, address)
        return state_of(adb, adb.serial)
    except UserError:  # the adb server is starting, or has just been ended
        return ""
