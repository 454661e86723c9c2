# SPDX-License-Identifier: Apache-2.0
"""A phone by what it is, where nobody knows its serial: by its SoC or its model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from model_profiling.errors import UserError, nearest
from model_profiling.pipeline.devices.adb.client import Adb, find_adb
from model_profiling.pipeline.devices.adb.identity import parse_properties
from model_profiling.pipeline.devices.adb.selection import READY, list_devices
from model_profiling.pipeline.devices.posix.shell import Lost

#: What people call a SoC and a model: Android's property, and the maker's that may stand before it.
_PROPERTIES = {"SoC": ("ro.soc.model", "ro.soc.manufacturer"), "model": ("ro.product.model", "ro.product.manufacturer")}


@dataclass(frozen=True)
class ConnectedPhone:
    """A phone that is ready: its serial, and what it calls its SoC and its model, "" where it does not say."""

    serial: str
    names: Mapping[str, tuple[str, str]]

    def is_called(self, what: str, name: str) -> bool:
        own, maker = self.names[what]
        return bool(own) and name.casefold() in (own.casefold(), f"{maker} {own}".strip().casefold())


def connected_phones() -> list[ConnectedPhone]:
    """Return the phones that adb lists as ready; UserError where there is no adb."""
    return list(_ready(Adb(find_adb())))


def find_phone(what: str, name: str, phones: list[ConnectedPhone]) -> str:
    """Return the serial of the first phone whose `what` ("SoC" or "model") is `name`.

    Raises
    ------
    UserError : none is; the message says which there are.
    """
    for phone in phones:
        if phone.is_called(what, name):
            return phone.serial
    known = [phone.names[what][0] or "unknown" for phone in phones]
    there = ", ".join(f"{own} ({phone.serial})" for own, phone in zip(known, phones, strict=True)) or "none"
    raise UserError(
        f"no connected phone has the {what} {name}{nearest(name, known)}",
        f"over adb (connected: {there})",
        "connect one, with USB debugging switched on",
    )


def _ready(adb: Adb) -> Iterator[ConnectedPhone]:
    for listed in list_devices(adb):
        if listed.state == READY:
            try:
                properties = parse_properties(replace(adb, serial=listed.serial).shell("getprop", timeout_s=15.0).text)
            except Lost:  # it left meanwhile
                continue
            yield ConnectedPhone(
                listed.serial,
                {what: (properties.get(own, ""), properties.get(by, "")) for what, (own, by) in _PROPERTIES.items()},
            )
