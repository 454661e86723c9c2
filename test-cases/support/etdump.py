# SPDX-License-Identifier: Apache-2.0
"""ETDumps for tests: the recorded ones, ones written with the flatbuffers library, and its own reader."""

from __future__ import annotations

from dataclasses import dataclass, field

import flatbuffers
from flatbuffers import number_types
from flatbuffers.table import Table

from support.kit import FIXTURES

RECORDED = sorted((FIXTURES / "etdump").glob("*.etdump"))
SMALL = next(path for path in RECORDED if path.name == "host-x86_64-release-xnnlog4__m.etdump")
MOBILENET_FP16 = next(path for path in RECORDED if path.name == "host-x86_64-release-xnnlog4__mv3_fp16.etdump")
MOBILENET_INT8 = next(path for path in RECORDED if path.name == "host-x86_64-release-xnnlog4__mv3_int8.etdump")


@dataclass(frozen=True)
class Event:
    """A profiling event to write; a field that is None is left out of the file."""

    name: str | None = None
    chain_index: int | None = 0
    instruction_id: int | None = 0
    delegate_id: int | None = None
    delegate_name: str | None = None
    start: int = 0
    end: int = 0
    kind: str = "profile"


@dataclass(frozen=True)
class Block:
    name: str | None = "Execute"
    events: tuple[Event, ...] | None = field(default=())


def operator(name: str, instruction: int, duration: int) -> Event:
    """Return an event of a delegate."""
    return Event(delegate_name=name, instruction_id=instruction, start=0, end=duration)


def write_etdump(blocks: list[Block], version: int = 0) -> bytes:
    """Return an ETDump with `blocks`, written by the flatbuffers library."""
    builder = flatbuffers.Builder(1024)
    strings: dict[str, int] = {}
    runs = [_block(builder, block, strings) for block in blocks]
    vector = _vector(builder, runs)
    builder.StartObject(2)
    builder.PrependUint32Slot(0, version, 0)
    builder.PrependUOffsetTRelativeSlot(1, vector, 0)
    builder.FinishSizePrefixed(builder.EndObject(), b"ED00")
    return bytes(builder.Output())


def _block(builder: flatbuffers.Builder, block: Block, strings: dict[str, int]) -> int:
    name = _string(builder, block.name, strings)
    events = None if block.events is None else _vector(builder, [_event(builder, e, strings) for e in block.events])
    builder.StartObject(4)
    if name:
        builder.PrependUOffsetTRelativeSlot(0, name, 0)
    if events:
        builder.PrependUOffsetTRelativeSlot(3, events, 0)
    return builder.EndObject()


def _event(builder: flatbuffers.Builder, event: Event, strings: dict[str, int]) -> int:
    name = _string(builder, event.name, strings)
    delegate = _string(builder, event.delegate_name, strings)
    builder.StartObject(8)
    if event.kind == "profile":
        builder.PrependUint64Slot(6, event.start, 0)
        builder.PrependUint64Slot(7, event.end, 0)
        for slot, value, default in (
            (1, event.chain_index, 0),
            (2, event.instruction_id, -1),
            (3, event.delegate_id, -1),
        ):
            if value is not None:
                builder.PrependInt32Slot(slot, value, default)
        if name:
            builder.PrependUOffsetTRelativeSlot(0, name, 0)
        if delegate:
            builder.PrependUOffsetTRelativeSlot(4, delegate, 0)
    inner = builder.EndObject()
    builder.StartObject(3)
    builder.PrependUOffsetTRelativeSlot({"profile": 0, "allocation": 1, "debug": 2}[event.kind], inner, 0)
    return builder.EndObject()


def _string(builder: flatbuffers.Builder, text: str | None, strings: dict[str, int]) -> int | None:
    if text is None:
        return None
    if text not in strings:
        strings[text] = builder.CreateString(text)
    return strings[text]


def _vector(builder: flatbuffers.Builder, items: list[int]) -> int:
    builder.StartVector(4, len(items), 4)
    for item in reversed(items):
        builder.PrependUOffsetTRelative(item)
    return builder.EndVector()


def read_plainly(data: bytes) -> list[tuple[str, list[tuple]]]:
    """Return every block's name and profiling events, read one by one with the flatbuffers library."""
    root = Table(bytearray(data), 4 + int.from_bytes(data[4:8], "little"))
    return [
        (_text(run, 0) or "", [_plain_event(i, event) for i, event in enumerate(_items(run, 3)) if _sub(event, 0)])
        for run in _items(root, 1)
    ]


def _plain_event(index: int, event: Table) -> tuple:
    profile = _sub(event, 0)
    return (
        index,
        _text(profile, 0),
        _number(profile, 1, number_types.Int32Flags, 0),
        _number(profile, 2, number_types.Int32Flags, -1),
        _number(profile, 3, number_types.Int32Flags, -1),
        _text(profile, 4),
        _number(profile, 6, number_types.Uint64Flags, 0),
        _number(profile, 7, number_types.Uint64Flags, 0),
    )


def _slot(table: Table, number: int) -> int:
    return table.Offset(4 + 2 * number)


def _number(table: Table, number: int, flags: type, default: int) -> int:
    at = _slot(table, number)
    return table.Get(flags, table.Pos + at) if at else default


def _text(table: Table, number: int) -> str | None:
    at = _slot(table, number)
    return table.String(table.Pos + at).decode() if at else None


def _sub(table: Table, number: int) -> Table | None:
    at = _slot(table, number)
    return Table(table.Bytes, table.Indirect(table.Pos + at)) if at else None


def _items(table: Table, number: int) -> list[Table]:
    at = _slot(table, number)
    if not at:
        return []
    start = table.Vector(at)
    return [Table(table.Bytes, table.Indirect(start + 4 * i)) for i in range(table.VectorLen(at))]
