# SPDX-License-Identifier: Apache-2.0
"""The devices that a sweep asks for: this host, phones by what tells them apart, emulated CPUs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from model_profiling.errors import UserError, nearest
from model_profiling.fleet.names import as_name
from model_profiling.json_objects import JsonObject

LOCAL, ADB, EMULATED = "local", "adb", "emulated"
#: Names that stand for a device without more words.
_SHORT: Mapping[str, Mapping[str, str]] = {LOCAL: {}, ADB: {}, EMULATED: {"emulated": "max"}}
#: What tells a phone apart; at most one of them.
_TELLING = ("serial", "address", "soc", "model")


@dataclass(frozen=True)
class WantedDevice:
    """A device as a sweep asks for it; `label` is what it is called in names.

    Of a phone at most one of `serial`, `address`, `soc` and `model` is given, none where the only one there is meant.
    `cpu` is the one to emulate.
    """

    label: str
    kind: str
    serial: str | None = None
    address: str | None = None
    soc: str | None = None
    model: str | None = None
    cpu: str | None = None
    runner_path: str | None = None
    device_mode: str | None = None

    @classmethod
    def from_json(cls, held: JsonObject) -> WantedDevice:
        """Read what `dataclasses.asdict` gave."""
        names = [field.name for field in fields(cls)][2:]
        return cls(held.text("label"), held.text("kind"), *map(held.maybe_text, names))

    @property
    def timed(self) -> bool:
        """Whether it measures times: an emulated CPU shows which layers reach SME2, and nothing else."""
        return self.kind != EMULATED

    @property
    def run_keys(self) -> dict[str, str]:
        """What it adds to the configuration of a run."""
        given = {"runner_path": self.runner_path, "device_mode": self.device_mode}
        return {key: value for key, value in given.items() if value is not None}


def wanted_device(given: str | Mapping[str, Any], where: str) -> WantedDevice:
    """Return the device that an entry of "devices" means.

    Raises
    ------
    UserError : no kind of device, or keys that do not fit together.
    """
    if isinstance(given, str):
        if given not in _SHORT:
            raise UserError(
                f"there is no device {given}{nearest(given, _SHORT)}",
                where,
                f'use {", ".join(_SHORT)}, or {{"serial": ...}}, {{"soc": ...}}, {{"model": ...}} of a phone',
            )
        return WantedDevice(given, given, cpu=_SHORT[given].get("emulated"))
    telling = [key for key in (*_TELLING, "emulated") if key in given]
    if len(telling) != 1:
        told = f"{' and '.join(telling)} name several devices" if telling else "nothing tells which device is meant"
        raise UserError(told, where, f"give one of {', '.join((*_TELLING, 'emulated'))}")
    if "emulated" in given:
        extra = sorted({"runner_path", "device_mode"} & given.keys())
        if extra:
            raise UserError(f'"{extra[0]}" says nothing of an emulated CPU', where, "remove the key")
        return WantedDevice(
            given.get("name") or f"emulated-{as_name(given['emulated'])}", EMULATED, cpu=given["emulated"]
        )
    own = {key: given[key] for key in (*_TELLING, "runner_path", "device_mode") if key in given}
    return WantedDevice(given.get("name") or as_name(given[telling[0]]), ADB, **own)
