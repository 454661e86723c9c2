# SPDX-License-Identifier: Apache-2.0
"""Weights outside of a program: which it asks for, and whether a `.ptd` has them.

ExecuTorch's runtime would say so only when the first launch fails.
"""

from __future__ import annotations

import struct
from pathlib import Path

from model_profiling.errors import UserError
from model_profiling.pipeline.program.flatbuffer import FlatbufferError, root_table
from model_profiling.pipeline.program.signature import PLAN_VALUES, TENSOR, choose_plan, computing_plans, read_program
from model_profiling.wording import count

#: Identifier and header of a `.ptd` (flat_tensor.fbs and serialize.py of ExecuTorch's extension/flat_tensor).
_IDENTIFIER, _MAGIC = b"FT01", b"FH01"
_IDENTIFIER_AT, _HEADER_AT = 4, 8
#: Magic, its own length, the flatbuffer's offset and size, the segments' offset and size.
_HEADER = struct.Struct("<4sIQQQQ")
_MOST_BYTES = 1 << 26  # of the flatbuffer, which has names and shapes alone

#: Positions of fields in the tables of program.fbs and flat_tensor.fbs.
_EVALUE_TYPE, _EVALUE_VALUE = 0, 1
_TENSOR_EXTRA = 9
_EXTRA_NAME, _EXTRA_LOCATION = 1, 2
_EXTERNAL = 1  # of TensorDataLocation
_NAMED_DATA, _NAMED_KEY = 2, 0


def check_weights(model: Path, method: str | None, data: Path | None) -> None:
    """Refuse a `.ptd` that does not hold the weights which a method of a program keeps outside; none where it does.

    Raises
    ------
    UserError : weights are outside and no file is named, the file is no `.ptd` or cut short, or lacks some of them.
    """
    wanted = _wanted(model, method)
    if data is None:
        if wanted:
            raise UserError(
                f"the program keeps {_named(wanted)} outside of it, and no file with them is named",
                f"in {model}",
                'name its .ptd in "data_path" of the experiment',
            )
        return
    held = _held(data)
    missing = [name for name in wanted if name not in held]
    if missing:
        raise UserError(
            f"the weights' file does not hold {_named(missing)} of {model}",
            f"at {data}",
            "name the .ptd that the export left beside the model",
        )


def _named(weights: list[str]) -> str:
    return weights[0] + (f" and {count(len(weights) - 1, 'more weight')}" if weights[1:] else "")


def _wanted(model: Path, method: str | None) -> list[str]:
    data, _ = read_program(model)
    try:
        plan = choose_plan(computing_plans(root_table(data)), model, method)
        tensors = [v.table(_EVALUE_VALUE) for v in plan.tables(PLAN_VALUES) if v.u8(_EVALUE_TYPE) == TENSOR]
        extras = [tensor.table(_TENSOR_EXTRA) for tensor in tensors if tensor.has(_TENSOR_EXTRA)]
        named = (extra.text(_EXTRA_NAME) for extra in extras if extra.u8(_EXTRA_LOCATION) == _EXTERNAL)
        return list(dict.fromkeys(named))
    except (FlatbufferError, IndexError) as error:
        raise UserError(
            f"the program's weights cannot be read ({error})",
            f"in {model}",
            "export it again with the pinned ExecuTorch",
        ) from error


def _held(data: Path) -> set[str]:
    """Return the names of the weights in a `.ptd`."""
    try:
        size = data.stat().st_size
        with open(data, "rb") as file:
            head = file.read(_HEADER_AT + _HEADER.size)
            flatbuffer = head + file.read(max(0, _flatbuffer_end(head, size) - len(head)))
        return {entry.text(_NAMED_KEY) for entry in root_table(flatbuffer).tables(_NAMED_DATA)}
    except OSError as error:
        raise UserError(
            f"the weights' file cannot be read ({error.strerror})", f"at {data}", "name a .ptd that can be read"
        ) from error
    except FlatbufferError as error:
        raise UserError(
            f"the weights' file is damaged or none ({error})",
            f"at {data}",
            "name the .ptd that the export left beside the model",
        ) from error


def _flatbuffer_end(head: bytes, size: int) -> int:
    """Return where the names end in a `.ptd` of `size` bytes; `head` are its first, into which the header is put."""
    if len(head) < _HEADER_AT + _HEADER.size or head[_IDENTIFIER_AT:_HEADER_AT] != _IDENTIFIER:
        raise FlatbufferError("it does not begin as a .ptd")
    magic, _, start, length, segments_at, segments_size = _HEADER.unpack_from(head, _HEADER_AT)
    if magic != _MAGIC:
        raise FlatbufferError("it has no header")
    end = max(start + length, segments_at + segments_size)
    if end > size:
        raise FlatbufferError(f"it has {size} bytes of {end}")
    if length > _MOST_BYTES:
        raise FlatbufferError(f"its names take {length} bytes")
    return int(start + length)
