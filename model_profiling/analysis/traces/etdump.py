# SPDX-License-Identifier: Apache-2.0
"""Reads an ETDump into numpy columns, without flatc, torch or ExecuTorch.

An ETDump is a size-prefixed flatbuffer (schema: `etdump_schema_flatcc.fbs` of
ExecuTorch; format: https://flatbuffers.dev/internals/). A trace of 1,000 executions
holds hundreds of thousands of small tables, so every step here handles all tables of
one kind together. A table's field is found through its vtable; those are gathered for
all tables at once, and each gathered position is checked before it is read. The file
is foreign data: whatever its bytes are, reading ends in a `Trace` or in a `UserError`,
in time and memory proportional to the file's size.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from model_profiling.errors import UserError

Ints = NDArray[np.int64]

_PREFIX = 4  # bytes of the size prefix; offsets count from behind it
_IDENTIFIER = b"ED00"  # file_identifier of the schema
_SCHEMA_VERSION = 0  # ETDUMP_VERSION of ExecuTorch 1.5
_SMALLEST_FILE = 16
# An offset in the vector, an Event table and a ProfileEvent table take at least 4, 8 and
# 4 bytes. A vector longer than that shares its tables with itself: no writer does so, and
# refusing it keeps memory proportional to the file.
_SMALLEST_EVENT = 16
_LONGEST_NAME = 4096  # bytes; a name is repeated in every row of a table
_WRAP = 2**32 - 1  # clocks of 32 bits wrap here; the same rule as ExecuTorch's Inspector
_LATEST_TIME = 2**62  # 146 years in ns: sums and differences of such times stay within int64

# Field numbers, in the schema's order.
_ROOT_VERSION, _ROOT_RUNS = 0, 1
_RUN_NAME, _RUN_INPUT, _RUN_EVENTS = 0, 1, 3
_EVENT_PROFILE, _EVENT_ALLOCATION, _EVENT_DEBUG = 0, 1, 2
(_NAME, _CHAIN, _INSTRUCTION, _DELEGATE_ID, _DELEGATE_NAME, _METADATA, _START, _END) = range(8)


@dataclass(frozen=True, eq=False)
class Trace:
    """The profiling events of one ETDump, one row an event, in the file's order.

    Allocation and debug events carry no time and are left out, so `index` can have gaps.

    Attributes
    ----------
    blocks : name of each block ("Default" for loading, "Execute" for each execution).
    strings : every distinct string; `name` and `delegate_name` are positions in it, -1 for none.
    block, index : the event's block, and its position within that block.
    chain_index, instruction_id, delegate_id : as recorded; -1 means none.
    start_ns, end_ns : clock readings in ns.
    """

    blocks: tuple[str, ...]
    strings: tuple[str, ...]
    block: Ints
    index: Ints
    name: Ints
    chain_index: Ints
    instruction_id: Ints
    delegate_id: Ints
    delegate_name: Ints
    start_ns: Ints
    end_ns: Ints

    def __len__(self) -> int:
        return len(self.block)

    @property
    def duration_ns(self) -> Ints:
        """Elapsed ns of each event, a 32-bit clock's wrap-around included (as Inspector has it)."""
        elapsed = self.end_ns - self.start_ns
        return np.where(elapsed < 0, elapsed + _WRAP, elapsed)

    @property
    def delegated(self) -> NDArray[np.bool_]:
        """True for events that a delegate recorded: they carry a delegate identifier."""
        named = np.array([bool(text) for text in self.strings] + [False])
        by_name: NDArray[np.bool_] = named[self.delegate_name]
        numbered: NDArray[np.bool_] = self.delegate_id != -1
        return numbered | by_name


def read_etdump(path: Path) -> Trace:
    """Read the ETDump at `path`.

    Raises
    ------
    UserError : the file is missing, unreadable, no ETDump, truncated or damaged.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise UserError("the ETDump does not exist", f"at {path}", "correct the path") from error
    except OSError as error:
        raise UserError(
            f"the ETDump cannot be read ({error.strerror})", f"at {path}", "name a readable ETDump file"
        ) from error
    return parse_etdump(data, str(path))


def parse_etdump(data: bytes, where: str) -> Trace:
    """Read an ETDump from memory; `where` names it in messages.

    Raises
    ------
    UserError : `data` is no ETDump, truncated or damaged.
    """
    buffer = _Buffer(data, where)
    root = buffer.tables(buffer.root())
    version = int(root.integers(_ROOT_VERSION, "<u4", 0)[0])
    if version != _SCHEMA_VERSION:
        raise UserError(
            f"the ETDump has schema version {version}, this kit reads {_SCHEMA_VERSION}",
            f"in {where}",
            "record it with the ExecuTorch that this kit pins",
        )
    runs_at, _ = buffer.vector(root.references(_ROOT_RUNS), 8)
    runs = buffer.tables(runs_at)
    strings = _Strings(buffer)
    block_names = strings.read(runs.references(_RUN_NAME))
    events_at, counts = buffer.vector(runs.references(_RUN_EVENTS), _SMALLEST_EVENT)
    block = np.repeat(np.arange(len(runs)), counts)
    index = np.arange(len(block)) - np.repeat(np.cumsum(counts) - counts, counts)
    profiled, profile = _profile_events(buffer, events_at)
    return _trace(buffer, strings, block_names, block[profiled], index[profiled], profile)


def _profile_events(buffer: _Buffer, events_at: Ints) -> tuple[NDArray[np.bool_], _Tables]:
    events = buffer.tables(events_at)
    kinds = [events.references(field) for field in (_EVENT_PROFILE, _EVENT_ALLOCATION, _EVENT_DEBUG)]
    populated = np.sum([kind > 0 for kind in kinds], axis=0)
    buffer.require(populated == 1, "an event that is not of exactly one kind")
    profiled = kinds[0] > 0
    return profiled, buffer.tables(kinds[0][profiled])


def _trace(buffer: _Buffer, strings: _Strings, block_names: Ints, block: Ints, index: Ints, profile: _Tables) -> Trace:
    name = strings.read(profile.references(_NAME))
    delegate_name = strings.read(profile.references(_DELEGATE_NAME))
    start, end = (profile.integers(field, "<u8", 0).astype(np.uint64) for field in (_START, _END))
    buffer.require((start < _LATEST_TIME) & (end < _LATEST_TIME), "a time that no clock reads")
    start_ns, end_ns = start.astype(np.int64), end.astype(np.int64)
    buffer.require((end_ns >= start_ns) | (start_ns <= _WRAP), "an event that ends before it starts")
    table = strings.decoded()
    return Trace(
        blocks=tuple(table[i] if i >= 0 else "" for i in block_names.tolist()),
        strings=table,
        block=block,
        index=index,
        name=name,
        chain_index=profile.integers(_CHAIN, "<i4", 0).astype(np.int64),
        instruction_id=profile.integers(_INSTRUCTION, "<i4", -1).astype(np.int64),
        delegate_id=profile.integers(_DELEGATE_ID, "<i4", -1).astype(np.int64),
        delegate_name=delegate_name,
        start_ns=start_ns,
        end_ns=end_ns,
    )


class _Buffer:
    """Bounds-checked access to the file; positions are absolute, 0 stands for "absent"."""

    def __init__(self, data: bytes, where: str) -> None:
        self.data, self.where, self.size = data, where, len(data)
        if self.size < _SMALLEST_FILE or data[8:12] != _IDENTIFIER:
            raise UserError(
                "this is no ETDump" if self.size else "the ETDump is empty",
                f"at {where}",
                "name a file that a runner with the event tracer wrote",
            )
        promised = int.from_bytes(data[:_PREFIX], "little") + _PREFIX
        if promised != self.size:
            what = "truncated" if self.size < promised else "followed by other data"
            raise UserError(
                f"the ETDump is {what} ({self.size} bytes, its header says {promised})",
                f"at {where}",
                "record it again, or copy it again",
            )
        self._bytes = np.frombuffer(data, np.uint8)

    def damaged(self, what: str) -> NoReturn:
        raise UserError(f"the ETDump is damaged ({what})", f"at {self.where}", "record it again, or copy it again")

    def require(self, condition: NDArray[np.bool_], what: str) -> None:
        if not condition.all():
            self.damaged(what)

    def gather(self, at: Ints, dtype: str) -> NDArray[np.generic]:
        """Read one value of `dtype` at each position, whatever its alignment."""
        width = np.dtype(dtype).itemsize
        self.require((at >= _PREFIX) & (at <= self.size - width), "an offset outside the file")
        overlapping = np.ndarray((self.size - width + 1,), dtype, self._bytes, strides=(1,))
        values: NDArray[np.generic] = overlapping[at]
        return values

    def follow(self, at: Ints) -> Ints:
        """Return the positions that the offsets stored at `at` point to."""
        offset = self.gather(at, "<u4").astype(np.int64)
        target = at + offset
        self.require((offset > 0) & (target <= self.size - 4), "an offset outside the file")
        return target

    def root(self) -> Ints:
        return self.follow(np.array([_PREFIX], np.int64))

    def tables(self, at: Ints) -> _Tables:
        return _Tables(self, at)

    def vector(self, at: Ints, smallest: int) -> tuple[Ints, Ints]:
        """Return what the vectors of offsets at `at` point to, joined, and each vector's length.

        `smallest` is the fewest bytes that an element takes in a well-formed file.
        """
        present = at > 0
        counts = np.zeros(len(at), np.int64)
        counts[present] = self.gather(at[present], "<u4").astype(np.int64)
        if int(counts.sum()) * smallest > self.size:
            self.damaged("more entries than the file has room for")
        within = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)
        return self.follow(np.repeat(at, counts) + 4 + 4 * within), counts


class _Tables:
    """Flatbuffer tables of one kind: their vtables are located and checked together."""

    def __init__(self, buffer: _Buffer, at: Ints) -> None:
        self._buffer, self._at = buffer, at
        self._vtable = at - buffer.gather(at, "<i4").astype(np.int64)
        self._vtable_size = buffer.gather(self._vtable, "<u2").astype(np.int64)
        self._size = buffer.gather(self._vtable + 2, "<u2").astype(np.int64)
        buffer.require(
            (self._vtable_size >= 4)
            & (self._vtable_size % 2 == 0)
            & (self._vtable + self._vtable_size <= buffer.size)
            & (self._size >= 4)
            & (at + self._size <= buffer.size),
            "a table outside the file",
        )

    def __len__(self) -> int:
        return len(self._at)

    def _field(self, number: int, width: int) -> Ints:
        """Return where each table keeps field `number`, 0 where it keeps none."""
        entry = 4 + 2 * number
        known = self._vtable_size >= entry + 2
        offset = np.zeros(len(self._at), np.int64)
        offset[known] = self._buffer.gather(self._vtable[known] + entry, "<u2")
        self._buffer.require(
            (offset == 0) | ((offset >= 4) & (offset + width <= self._size)), "a field outside its table"
        )
        return np.where(offset > 0, self._at + offset, 0)

    def integers(self, number: int, dtype: str, default: int) -> NDArray[np.generic]:
        """Return a scalar field of every table, `default` where it is absent."""
        at = self._field(number, np.dtype(dtype).itemsize)
        values = np.full(len(at), default, dtype)
        values[at > 0] = self._buffer.gather(at[at > 0], dtype)
        return values

    def references(self, number: int) -> Ints:
        """Return the position that each table's field refers to, 0 where it is absent."""
        at = self._field(number, 4)
        at[at > 0] = self._buffer.follow(at[at > 0])
        return at


class _Strings:
    """The distinct strings of a file, numbered as they appear."""

    def __init__(self, buffer: _Buffer) -> None:
        self._buffer = buffer
        self._numbers: dict[bytes, int] = {}
        self._budget = buffer.size  # strings do not overlap, so their bytes cannot exceed the file

    def read(self, at: Ints) -> Ints:
        """Return the number of the string at each position, -1 where the position is 0."""
        places, inverse = np.unique(at, return_inverse=True)
        absent = int(len(places) > 0 and places[0] == 0)
        start = places[absent:] + 4
        length = self._buffer.gather(start - 4, "<u4").astype(np.int64)
        self._buffer.require(length <= _LONGEST_NAME, "a name longer than any operator's")
        self._buffer.require(self._buffer.gather(start + length, "u1") == 0, "a string without its end")
        self._budget -= int(length.sum())
        if self._budget < 0:
            self._buffer.damaged("strings that overlap")
        data, numbers = self._buffer.data, self._numbers
        ends = zip(start.tolist(), (start + length).tolist(), strict=True)
        read = [numbers.setdefault(data[first:end], len(numbers)) for first, end in ends]
        return np.array([-1] * absent + read, np.int64)[inverse.reshape(-1)]

    def decoded(self) -> tuple[str, ...]:
        try:
            return tuple(text.decode("utf-8") for text in self._numbers)
        except UnicodeDecodeError:
            self._buffer.damaged("a name that is not UTF-8")
