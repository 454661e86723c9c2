# SPDX-License-Identifier: Apache-2.0
"""The layout of cpuinfo's feature bytes, read from the table that the C++ runner includes too."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from model_profiling import PACKAGE_DIR

LAYOUT_TABLE = PACKAGE_DIR / "runner" / "cpu_layout.def"

_SIZE = re.compile(r"ISA_SIZE\((\w+), (\d+)\)")
_FIELD = re.compile(r'ISA_FIELD\((\w+), (\d+), (\w+), "([\w|]*)", "(\w*)", (both|listed|none)\)')

#: What `platform.machine()` says for the architectures of the table.
_ARCHITECTURES = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "aarch64", "arm64": "aarch64"}


@dataclass(frozen=True)
class IsaField:
    """One feature: its byte's offset in `cpuinfo_isa`, and what the system calls it."""

    name: str
    offset: int
    linux_names: tuple[str, ...]
    macos_name: str
    check: str  # "both", "listed" or "none": see the head of cpu_layout.def

    def system_names(self, system: str) -> tuple[str, ...]:
        """Return the words for this feature on `system` ("Linux" or "Darwin"); none means unknown."""
        if system == "Darwin":
            return (self.macos_name,) if self.macos_name else ()
        return self.linux_names


@dataclass(frozen=True)
class IsaLayout:
    """The feature bytes of one architecture; `size` is the struct's in bytes."""

    architecture: str
    size: int
    fields: tuple[IsaField, ...]

    def field(self, name: str) -> IsaField:
        """Return the field called `name`; KeyError when the table has none."""
        for field in self.fields:
            if field.name == name:
                return field
        raise KeyError(name)

    def names_from_system(self, words: Iterable[str], system: str) -> frozenset[str]:
        """Translate the system's own words for features into the table's names."""
        listed = set(words)
        return frozenset(f.name for f in self.fields if listed & set(f.system_names(system)))

    def disagreements(self, isa: bytes, words: Iterable[str], system: str) -> list[str]:
        """Return the names of the fields where the bytes contradict the system's words.

        Bytes other than 0 and 1 contradict too: they cannot be C booleans.
        """
        listed = set(words)
        wrong = []
        for field in self.fields:
            value = isa[field.offset]
            known = field.system_names(system)
            said = bool(listed & set(known))
            if value > 1 or (
                known
                and (
                    (field.check == "both" and bool(value) != said) or (field.check == "listed" and said and not value)
                )
            ):
                wrong.append(field.name)
        return wrong


def normal_architecture(machine: str) -> str:
    """Return the table's name for `platform.machine()`'s, or the latter when the table has none."""
    return _ARCHITECTURES.get(machine.lower(), machine)


@cache
def layouts() -> dict[str, IsaLayout]:
    """Return the table's layouts by architecture.

    Raises
    ------
    ValueError : a line that is neither a comment nor an entry (a defect of the kit).
    """
    sizes: dict[str, int] = {}
    fields: dict[str, list[IsaField]] = {}
    for line in LAYOUT_TABLE.read_text(encoding="utf-8").splitlines():
        line = line.strip()
        if not line or line.startswith("//"):
            continue
        if match := _SIZE.fullmatch(line):
            sizes[match[1]] = int(match[2])
        elif match := _FIELD.fullmatch(line):
            field = IsaField(match[3], int(match[2]), tuple(filter(None, match[4].split("|"))), match[5], match[6])
            fields.setdefault(match[1], []).append(field)
        else:
            raise ValueError(f"{LAYOUT_TABLE}: not an entry: {line}")
    return {name: IsaLayout(name, size, tuple(fields[name])) for name, size in sizes.items()}
