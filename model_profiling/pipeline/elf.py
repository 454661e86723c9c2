# SPDX-License-Identifier: Apache-2.0
"""What a Linux or Android program needs to start: its CPU, its loader, its libraries.

Reads the few parts of ELF that say so (System V ABI, chapters 4 and 5; elf.h), of 64-bit
little-endian files alone: every CPU with SME2 runs those, and so does x86-64. pyelftools
reads them too; a run on a device would then need a dependency for one table of strings, and
its errors on files that are cut short are of many kinds where here there is one.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from model_profiling.errors import UserError

#: e_machine of the architectures that the kit knows, by its own names for them.
_MACHINES = {62: "x86_64", 183: "aarch64", 3: "x86", 40: "arm", 243: "riscv64"}

_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_PROGRAM_HEADER = struct.Struct("<IIQQQQQQ")
_DYNAMIC_ENTRY = struct.Struct("<qQ")
_MAGIC_64_LITTLE = b"\x7fELF\x02\x01"
_PT_LOAD, _PT_DYNAMIC, _PT_INTERP = 1, 2, 3
_DT_NEEDED, _DT_STRTAB, _DT_STRSZ, _DT_RPATH, _DT_RUNPATH = 1, 5, 10, 15, 29


@dataclass(frozen=True)
class Elf:
    """A program or library: `machine` as in `cpu_features`, `interpreter` the loader's path or None.

    `needed` are the sonames it is linked with, `runpath` the folders it looks for them in,
    with ``$ORIGIN`` already replaced by its own folder.
    """

    path: Path
    machine: str
    interpreter: str | None
    needed: tuple[str, ...]
    runpath: tuple[Path, ...]


@dataclass(frozen=True)
class _Segment:
    kind: int
    offset: int
    address: int
    size: int


def read_elf(path: Path) -> Elf:
    """Read a program's or library's needs.

    Raises
    ------
    UserError : the file cannot be read, or is no 64-bit little-endian ELF file, or a damaged one.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"the program cannot be read ({error.strerror})", f"at {path}", "correct the path") from error
    if not data.startswith(_MAGIC_64_LITTLE):
        raise UserError("it is no 64-bit Linux or Android program", f"at {path}", "name one built for the device")
    try:
        return _read(data, path)
    except (struct.error, ValueError) as error:
        raise UserError(f"the program is damaged ({error})", f"at {path}", "build it again") from error


def _read(data: bytes, path: Path) -> Elf:
    header = _HEADER.unpack_from(data)
    machine, first, size, count = header[2], header[5], header[9], header[10]
    segments = []
    for index in range(count):
        entry = _bytes(data, first + index * size, _PROGRAM_HEADER.size)
        kind, _, offset, address, _, file_size, _, _ = _PROGRAM_HEADER.unpack(entry)
        segments.append(_Segment(kind, offset, address, file_size))
    interpreter = next((_text(_bytes(data, s.offset, s.size), 0) for s in segments if s.kind == _PT_INTERP), None)
    dynamic = [entry for s in segments if s.kind == _PT_DYNAMIC for entry in _entries(_bytes(data, s.offset, s.size))]
    strings = _strings(data, segments, dict(dynamic))
    runpaths = [_text(strings, value) for tag, value in dynamic if tag in (_DT_RUNPATH, _DT_RPATH)]
    return Elf(
        path=path,
        machine=_MACHINES.get(machine, f"machine {machine}"),
        interpreter=interpreter,
        needed=tuple(_text(strings, value) for tag, value in dynamic if tag == _DT_NEEDED),
        runpath=tuple(_folder(part, path) for text in runpaths for part in text.split(":") if part),
    )


def _entries(data: bytes) -> Iterator[tuple[int, int]]:
    for tag, value in _DYNAMIC_ENTRY.iter_unpack(data[: len(data) // _DYNAMIC_ENTRY.size * _DYNAMIC_ENTRY.size]):
        if tag == 0:
            return
        yield tag, value


def _strings(data: bytes, segments: list[_Segment], dynamic: dict[int, int]) -> bytes:
    """Return the dynamic string table, which the dynamic section locates by its address in memory."""
    if _DT_STRTAB not in dynamic:
        return b""
    address = dynamic[_DT_STRTAB]
    for segment in segments:
        if segment.kind == _PT_LOAD and segment.address <= address < segment.address + segment.size:
            return _bytes(data, segment.offset + address - segment.address, dynamic.get(_DT_STRSZ, 0))
    raise ValueError("its string table lies outside the file")


def _bytes(data: bytes, offset: int, size: int) -> bytes:
    if offset + size > len(data):
        raise ValueError("a part of it lies outside the file")
    return data[offset : offset + size]


def _text(strings: bytes, offset: int) -> str:
    end = strings.find(b"\0", offset)
    if not 0 <= offset < len(strings) or end < 0:
        raise ValueError("a name lies outside its string table")
    return strings[offset:end].decode("utf-8")


def _folder(part: str, path: Path) -> Path:
    return Path(part.replace("${ORIGIN}", "$ORIGIN").replace("$ORIGIN", str(path.resolve().parent)))
