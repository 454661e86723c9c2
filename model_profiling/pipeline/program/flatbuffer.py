# SPDX-License-Identifier: Apache-2.0
"""Reading flatbuffers that may be damaged: every offset is checked before it is followed.

The `flatbuffers` package trusts its buffer; here a wrong byte must end in an error, never
in a read outside the buffer (Python would quietly count negative positions from the end).
Format: https://flatbuffers.dev/internals/ .
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

#: Names are short; without a limit, many references to one long text would take for ever.
_LONGEST_TEXT = 4096


class FlatbufferError(ValueError):
    """The buffer contradicts its format; the message says how."""


@dataclass(frozen=True)
class FlatTable:
    """A table at `position` of `data`; fields are named by their position in the schema.

    A field that is absent reads as its default: 0, an empty list, an empty text. `table`
    alone raises for one, as what refers to a table cannot do without it. `most` is the
    greatest length a list can have and make sense.
    """

    data: bytes
    position: int

    def has(self, field: int) -> bool:
        """Tell whether the field is there."""
        return self._field(field) is not None

    def u8(self, field: int) -> int:
        return self._scalar("<B", field)

    def u32(self, field: int) -> int:
        return self._scalar("<I", field)

    def u64(self, field: int) -> int:
        return self._scalar("<Q", field)

    def table(self, field: int) -> FlatTable:
        at = self._field(field)
        if at is None:
            raise FlatbufferError(f"field {field} is missing")
        return FlatTable(self.data, _follow(self.data, at))

    def tables(self, field: int) -> list[FlatTable]:
        start, count = self._vector(field, 4)
        return [FlatTable(self.data, _follow(self.data, start + 4 * i)) for i in range(count)]

    def i32_list(self, field: int, most: int) -> list[int]:
        start, count = self._vector(field, 4, most)
        return list(struct.unpack_from(f"<{count}i", self.data, start))

    def u8_list(self, field: int, most: int) -> list[int]:
        start, count = self._vector(field, 1, most)
        return list(self.data[start : start + count])

    def raw(self, field: int) -> bytes:
        start, count = self._vector(field, 1)
        return self.data[start : start + count]

    def text(self, field: int) -> str:
        start, count = self._vector(field, 1, _LONGEST_TEXT)
        try:
            return self.data[start : start + count].decode("utf-8")
        except UnicodeDecodeError as error:
            raise FlatbufferError("a text is not UTF-8") from error

    def _scalar(self, form: str, field: int) -> int:
        at = self._field(field)
        return 0 if at is None else _unpack(self.data, form, at)

    def _vector(self, field: int, item_bytes: int, most: int | None = None) -> tuple[int, int]:
        at = self._field(field)
        if at is None:
            return 0, 0
        start = _follow(self.data, at)
        count = _unpack(self.data, "<I", start)
        if start + 4 + count * item_bytes > len(self.data):
            raise FlatbufferError("a list runs over the end")
        if most is not None and count > most:
            raise FlatbufferError(f"a list of {count}, where {most} is the most")
        return start + 4, count

    def _field(self, field: int) -> int | None:
        vtable = self.position - _unpack(self.data, "<i", self.position)
        entry = 4 + 2 * field
        if entry + 2 > _unpack(self.data, "<H", vtable):
            return None
        offset = _unpack(self.data, "<H", vtable + entry)
        return self.position + offset if offset else None


def root_table(data: bytes) -> FlatTable:
    """Return the buffer's root table."""
    return FlatTable(data, _follow(data, 0))


def _follow(data: bytes, at: int) -> int:
    return at + _unpack(data, "<I", at)


def _unpack(data: bytes, form: str, at: int) -> int:
    if at < 0 or at + struct.calcsize(form) > len(data):
        raise FlatbufferError(f"offset {at} is outside its {len(data)} bytes")
    value: int = struct.unpack_from(form, data, at)[0]
    return value
