# SPDX-License-Identifier: Apache-2.0
"""Reads what the kernel auditor recorded (format: runner/README.md). Trusts no byte of it."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model_profiling.analysis.traces.etdump import Ints
from model_profiling.errors import UserError

CLOCK, KERNEL_PREFIX = "clock_gettime", "kai_run_"

_MAGIC = b"SMEKERN1"
_COUNTS = struct.Struct("<QQQ")  # names, events, events lost
_NAMES_AT = len(_MAGIC) + _COUNTS.size
_EVENT = np.dtype([("time_ns", "<u8"), ("thread", "<u4"), ("name", "<u4")])
_MOST_NAMES = 1024  # kMostNames of the auditor
_LONGEST_NAME = 512
_AGAIN = "record it again: run the experiment or the preview anew"


@dataclass(frozen=True, eq=False)
class KernelRecord:
    """The recorded calls in the order they were made; `name` holds positions in `names`.

    `time_ns` is CLOCK_MONOTONIC. Order, not time, is what calls are attributed by.
    """

    names: tuple[str, ...]
    name: Ints
    thread: Ints
    time_ns: NDArray[np.uint64]

    def __len__(self) -> int:
        return len(self.name)

    def positions(self, prefix: str) -> Ints:
        """Return where in the record the calls of functions lie whose name begins so."""
        chosen = np.array([name.startswith(prefix) for name in self.names], bool)
        return np.flatnonzero(chosen[self.name]) if len(self) else np.empty(0, np.int64)

    @property
    def kernel_calls(self) -> int:
        """How many KleidiAI calls the record holds, in all."""
        return len(self.positions(KERNEL_PREFIX))


def read_record(path: Path) -> KernelRecord:
    """Read the record at `path`.

    Raises
    ------
    UserError : it is missing, no record, truncated, damaged, or incomplete for want of memory.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise UserError("there is no record of kernel calls", f"at {path}", _AGAIN) from error
    except OSError as error:
        raise UserError(
            f"the record of kernel calls cannot be read ({error.strerror})", f"at {path}", _AGAIN
        ) from error
    return parse_record(data, str(path))


def parse_record(data: bytes, where: str) -> KernelRecord:
    """Read a record from memory; `where` names it in messages. Raises as `read_record`."""
    if data[: len(_MAGIC)] != _MAGIC or len(data) < _NAMES_AT:
        raise UserError("this is no record of kernel calls", f"at {where}", _AGAIN)
    name_count, event_count, lost = _COUNTS.unpack_from(data, len(_MAGIC))
    if lost:
        raise UserError(
            f"{lost} calls were not recorded for want of memory",
            f"in {where}",
            "record fewer executions, or a model of a reduced size",
        )
    names, end = _read_names(data, name_count, where)
    if end + event_count * _EVENT.itemsize != len(data):
        raise UserError("the record of kernel calls is truncated or damaged", f"at {where}", _AGAIN)
    events = np.frombuffer(data, _EVENT, offset=end)
    if len(events) and int(events["name"].max()) >= len(names):
        raise UserError("the record of kernel calls is damaged (a call without a name)", f"at {where}", _AGAIN)
    return KernelRecord(names, events["name"].astype(np.int64), events["thread"].astype(np.int64), events["time_ns"])


def _read_names(data: bytes, count: int, where: str) -> tuple[tuple[str, ...], int]:
    names, at = [], _NAMES_AT
    if count <= _MOST_NAMES:
        for _ in range(count):
            end = data.find(b"\0", at, at + _LONGEST_NAME)
            if end < 0 or not data[at:end].isascii():
                break
            names.append(data[at:end].decode("ascii"))
            at = end + 1
    if len(names) != count:
        raise UserError("the record of kernel calls is damaged (its names)", f"at {where}", _AGAIN)
    return tuple(names), at
