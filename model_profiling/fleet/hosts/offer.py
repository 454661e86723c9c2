# SPDX-License-Identifier: Apache-2.0
"""What one worker of a fleet offers: a phone, or its host's CPU and exports; and which wishes of a sweep that fits."""

from __future__ import annotations

import platform
import socket
import uuid
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec

from model_profiling import __version__
from model_profiling.fleet.wanted_device import ADB, LOCAL, WantedDevice
from model_profiling.json_objects import JsonObject
from model_profiling.pipeline.cpu import features
from model_profiling.pipeline.devices.adb.finding import ConnectedPhone
from model_profiling.pipeline.devices.adb.identity import Identity

#: Which names of a phone a sweep may give, and what `ConnectedPhone` calls them.
_NAMES = {"soc": "SoC", "model": "model"}


@dataclass(frozen=True)
class Offer:
    """What a worker offers.

    `key` is what the device is known by wherever it is plugged in: a phone's own serial, or a host's name. `serial` is
    adb's name of a phone on that host, `worker` this one process, another after each start. A host that only exports
    does not measure.
    """

    worker: str
    key: str
    host: str
    kind: str
    cpu: str
    cpu_features: tuple[str, ...]
    serial: str = ""
    names: dict[str, tuple[str, str]] = field(default_factory=dict)
    measures: bool = True
    exports: bool = False
    kit_version: str = __version__
    python: str = platform.python_version()

    @property
    def called(self) -> str:
        """What people are told: "R5CT at lab-2"."""
        return self.host if self.kind == LOCAL else f"{self.key} at {self.host}"

    @property
    def resources(self) -> dict[str, float]:
        """What Dask is told of it: one of everything, since it does one thing at a time."""
        names = [f"{self.kind} {self.key}"] if self.measures else []
        names += [f"{what} {own}" for what, (own, _) in self.names.items() if own]
        names += [f"cpu {name}" for name in self.cpu_features] if self.measures else []
        return dict.fromkeys([*names, *(["export"] if self.exports else [])], 1.0)

    def fits(self, wanted: WantedDevice) -> bool:
        """Return whether a cell of this device can be measured here."""
        if wanted.kind != ADB:
            return self.kind == LOCAL and (self.measures or not wanted.timed)
        if self.kind != ADB:
            return False
        if wanted.serial is not None:
            return wanted.serial in (self.serial, self.key)
        if wanted.address is not None:
            return wanted.address == self.serial
        phone = ConnectedPhone(self.serial, {called: self.names[name] for name, called in _NAMES.items()})
        asked = {"soc": wanted.soc, "model": wanted.model}
        return all(value is None or phone.is_called(_NAMES[name], value) for name, value in asked.items())

    def to_json(self) -> dict[str, object]:
        return asdict(self)

    @classmethod
    def from_json(cls, held: JsonObject) -> Offer:
        names = held.within("names")
        return cls(
            held.text("worker"),
            held.text("key"),
            held.text("host"),
            held.text("kind"),
            held.text("cpu"),
            held.texts("cpu_features"),
            held.text("serial"),
            {name: (names.texts(name)[0], names.texts(name)[1]) for name in names.keys()},
            held.flag("measures"),
            held.flag("exports"),
            held.text("kit_version"),
            held.text("python"),
        )


def host_offer(host: str, measures: bool) -> Offer:
    """Return what this host offers itself."""
    cpu = features.detect()
    exports = all(find_spec(package) for package in ("torch", "executorch"))
    return Offer(
        _new_worker(), host, host, LOCAL, cpu.model_name, tuple(sorted(cpu.names)), measures=measures, exports=exports
    )


def phone_offer(host: str, phone: ConnectedPhone, identity: Identity) -> Offer:
    """Return what a phone offers that is attached to this host."""
    names = {name: phone.names[called] for name, called in _NAMES.items()}
    cpu = identity.cpu
    return Offer(
        _new_worker(),
        identity.serial,
        host,
        ADB,
        cpu.model_name,
        tuple(sorted(cpu.names)),
        serial=phone.serial,
        names=names,
    )


def this_host() -> str:
    """Return the name that a host goes by where it is given none."""
    return socket.gethostname() or "host"


def _new_worker() -> str:
    return uuid.uuid4().hex[:12]
