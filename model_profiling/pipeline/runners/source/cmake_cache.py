# SPDX-License-Identifier: Apache-2.0
"""Reads CMakeCache.txt and says in what two configurations differ. Pure.

An on/off pair shows what SME2 does only if nothing but SME2 and SME differs between its
builds, so the caches of both are compared entry by entry.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from model_profiling.errors import UserError

#: The only entries in which an on/off pair may differ.
SWITCHES = frozenset({"XNNPACK_ENABLE_ARM_SME", "XNNPACK_ENABLE_ARM_SME2"})

_ENTRY = re.compile(r'(?P<name>"[^"]+"|[^:="]+):(?P<type>[A-Z]+)=(?P<value>.*)')
_LEAST_ENTRIES = 10  # a cache of a project with a compiler has hundreds


@dataclass(frozen=True)
class Difference:
    """One entry that differs; a value is None where the cache has no such entry."""

    name: str
    one: str | None
    other: str | None

    def __str__(self) -> str:
        return f"{self.name} ({self.one} and {self.other})"


def parse_cache(text: str, where: str) -> dict[str, str]:
    """Return the entries of a cache by name.

    Raises
    ------
    UserError : the text is not a CMakeCache.txt, or an entry of it is cut off; `where` names it.
    """
    entries: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith(("#", "//")):
            continue
        match = _ENTRY.fullmatch(line.strip("\0"))
        if not match:
            raise UserError(f"line {number} is no entry of a CMake cache", f"in {where}", "build the variant again")
        entries[match["name"].strip('"')] = match["value"]
    if len(entries) < _LEAST_ENTRIES:
        raise UserError(
            f"the CMake cache has {len(entries)} entries: it is cut off", f"in {where}", "build the variant again"
        )
    return entries


def without_places(entries: Mapping[str, str], places: Mapping[str, str]) -> dict[str, str]:
    """Return the entries with each folder of `places` replaced by its name: ``{"/home/me/build": "<build>"}``.

    The longest path goes first, so that a folder inside another keeps its own name.
    """
    ordered = sorted(places.items(), key=lambda place: -len(place[0]))
    named = {}
    for name, value in entries.items():
        for path, place in ordered:
            value = value.replace(path, place)
        named[name] = value
    return named


def cache_text(entries: Mapping[str, str]) -> str:
    """Return entries as text that `parse_cache` reads back, in the order of their names."""
    return "".join(f'"{name}":STRING={value}\n' for name, value in sorted(entries.items()))


def differences(one: Mapping[str, str], other: Mapping[str, str]) -> tuple[Difference, ...]:
    """Return what differs between two caches, the switches of SME and SME2 left out."""
    names = sorted((one.keys() | other.keys()) - SWITCHES)
    return tuple(Difference(name, one.get(name), other.get(name)) for name in names if one.get(name) != other.get(name))


def switch_errors(entries: Mapping[str, str], sme2: bool) -> tuple[Difference, ...]:
    """Return the switches that do not stand as a variant with (or without) SME2 needs them."""
    wanted = "ON" if sme2 else "OFF"
    return tuple(
        Difference(name, entries.get(name), wanted) for name in sorted(SWITCHES) if entries.get(name) != wanted
    )
