# SPDX-License-Identifier: Apache-2.0
"""The kinds of devices that launches run on: the one place that lists them.

A kind is a function of a configuration, with options of its own (which phone, which CPU), that
opens the device for a run and lets go of it afterwards. It is imported when it is asked for.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from importlib import import_module
from typing import Protocol, cast

from model_profiling.errors import UserError, nearest
from model_profiling.pipeline.config import Config
from model_profiling.pipeline.devices import Device

_HERE = "model_profiling.pipeline.devices"
#: Where each kind's function is: its module and its name there.
KINDS: dict[str, tuple[str, str]] = {
    "local": (f"{_HERE}.local", "open_local"),
    "emulated": (f"{_HERE}.emulated.device", "open_emulated"),
    "adb": (f"{_HERE}.adb.device", "open_adb"),
}


class Opener(Protocol):
    """Makes the device of a configuration ready for a run, and lets go of it afterwards."""

    def __call__(self, config: Config, **options: object) -> AbstractContextManager[Device]: ...


def open_device(kind: str, config: Config, **options: object) -> AbstractContextManager[Device]:
    """Return the device of a kind for a run; `options` are those of the kind's function.

    Raises
    ------
    UserError : there is no such kind, or it has no such device.
    """
    if kind not in KINDS:
        raise UserError(
            f"{kind} is no kind of device{nearest(kind, list(KINDS))}", "of the run", f"name one of {', '.join(KINDS)}"
        )
    module, function = KINDS[kind]
    return cast(Opener, getattr(import_module(module), function))(config, **options)
