# SPDX-License-Identifier: Apache-2.0
"""Read what a .pte takes and gives, straight from the file: without torch, trusting no byte of it."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from model_profiling.errors import UserError, nearest
from model_profiling.pipeline.program.flatbuffer import FlatbufferError, FlatTable, root_table

#: Flatbuffer identifier and extended header of a program (schema/program.fbs and
#: extended_header.h of ExecuTorch).
_IDENTIFIER = b"ET12"
_EXTENDED_MAGIC = b"eh00"
_EXTENDED_HEADER = struct.Struct("<4sIQQ")  # magic, its own length, program's size, segments' offset
_HEADER_AT = 8
_LEAST_BYTES = 8

#: Positions of fields in the tables of program.fbs.
PROGRAM_PLANS, PROGRAM_DELEGATE_DATA, PROGRAM_SEGMENTS = 1, 3, 4
_PLAN_NAME, PLAN_VALUES, _PLAN_INPUTS, _PLAN_OUTPUTS, _PLAN_CHAINS, PLAN_DELEGATES = 0, 2, 3, 4, 5, 7
_CHAIN_INSTRUCTIONS = 2
EVALUE_TYPE, EVALUE_VALUE = 0, 1
_TENSOR_TYPE, _TENSOR_SIZES, _TENSOR_DIM_ORDER, _TENSOR_DYNAMISM = 0, 2, 3, 8
_STATIC = 0  # of TensorShapeDynamism: else the sizes are an upper bound, or none
DELEGATE_ID = 0
_SEGMENT_OFFSET, _SEGMENT_SIZE = 0, 1
TENSOR = 5  # of the union KernelTypes: Null is 1, Int 2, Bool 3, Double 4

#: ScalarType of scalar_type.fbs by numpy's names.
_DTYPES = {
    0: "uint8",
    1: "int8",
    2: "int16",
    3: "int32",
    4: "int64",
    5: "float16",
    6: "float32",
    7: "float64",
    11: "bool",
    15: "bfloat16",
    27: "uint16",
    28: "uint32",
    29: "uint64",
}
ITEM_BYTES = {
    "uint8": 1,
    "int8": 1,
    "bool": 1,
    "int16": 2,
    "uint16": 2,
    "float16": 2,
    "bfloat16": 2,
    "int32": 4,
    "uint32": 4,
    "float32": 4,
    "int64": 8,
    "uint64": 8,
    "float64": 8,
}

#: ExecuTorch's own limit on dimensions (tensor_dimension_limit.h).
_MOST_DIMENSIONS = 16
_MOST_TENSOR_BYTES = 1 << 40
_MOST_VALUES = 4096  # inputs or outputs of one method: far more than any model has


@dataclass(frozen=True)
class TensorSpec:
    """One tensor: `dtype` is numpy's name; `dim_order` lists dimensions outermost first in memory.

    Where it is `dynamic`, `shape` is the largest that the program takes.
    """

    shape: tuple[int, ...]
    dtype: str
    dim_order: tuple[int, ...] = ()
    dynamic: bool = False

    @property
    def elements(self) -> int:
        count = 1
        for extent in self.shape:
            count *= extent
        return count

    @property
    def nbytes(self) -> int:
        return self.elements * ITEM_BYTES[self.dtype]


@dataclass(frozen=True)
class Signature:
    """What the program's method takes and gives, and the backends it delegates to.

    Outputs that are no tensors are left out, as the runners do.
    """

    method: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    backends: tuple[str, ...]

    @property
    def dynamic(self) -> bool:
        """Whether the shape of any input varies."""
        return any(spec.dynamic for spec in self.inputs)


def read_signature(path: Path, method: str | None = None) -> Signature:
    """Return the signature of a method of the .pte at `path`, of its only one where none is named.

    Raises
    ------
    UserError : the file is missing, a folder, empty, truncated, damaged or no program, it has several methods
        and none is named or another, or an input is no tensor of plain numbers.
    """
    data, size = read_program(path)
    try:
        _check_segments(data, size)
        plan = choose_plan(computing_plans(root_table(data)), path, method)
        backends = dict.fromkeys(delegate.text(DELEGATE_ID) for delegate in plan.tables(PLAN_DELEGATES))
        return Signature(
            plan.text(_PLAN_NAME), _specs(plan, _PLAN_INPUTS, path), _specs(plan, _PLAN_OUTPUTS, path), tuple(backends)
        )
    except (FlatbufferError, IndexError) as error:
        raise _damaged(path, str(error)) from error


def computing_plans(root: FlatTable) -> list[FlatTable]:
    """Return the methods of a program; those that only hold a constant (`get_vocab_size`) count alone, not beside."""
    plans = root.tables(PROGRAM_PLANS)
    return [plan for plan in plans if plan.i32_list(_PLAN_INPUTS, _MOST_VALUES) or _instructions(plan)] or plans[:1]


def read_methods(path: Path) -> tuple[str, ...]:
    """Return the names of the methods that the .pte at `path` computes; see `read_signature`."""
    data, _ = read_program(path)
    try:
        return tuple(plan.text(_PLAN_NAME) for plan in computing_plans(root_table(data)))
    except (FlatbufferError, IndexError) as error:
        raise _damaged(path, str(error)) from error


def choose_plan(plans: Sequence[FlatTable], path: Path, method: str | None) -> FlatTable:
    """Return the method of that name, or the only one.

    Raises
    ------
    UserError : there is no such method, or there are several and none is named.
    """
    names = [plan.text(_PLAN_NAME) for plan in plans]
    if method is None and len(plans) > 1:
        raise UserError(
            f"the program has several methods ({', '.join(names)}), and none is named",
            f"in {path}",
            'name one in "method" of an experiment, or with --method',
        )
    if method is not None and method not in names:
        raise UserError(
            f"the program has no method {method!r}{nearest(method, names)}", f"in {path}", f"name {' or '.join(names)}"
        )
    return plans[0 if method is None else names.index(method)]


def _instructions(plan: FlatTable) -> int:
    return sum(len(chain.tables(_CHAIN_INSTRUCTIONS)) for chain in plan.tables(_PLAN_CHAINS))


def read_program(path: Path) -> tuple[bytes, int]:
    """Return the flatbuffer part of the file, and the whole file's size in bytes."""
    try:
        if path.is_dir():
            raise UserError("the model is a folder", f"at {path}", "name the .pte file in it")
        size = path.stat().st_size
        with open(path, "rb") as file:
            head = file.read(_HEADER_AT + _EXTENDED_HEADER.size)
            wanted = _program_size(head, size)
            data = head + file.read(max(0, min(wanted, size) - len(head)))
    except FileNotFoundError as error:
        raise UserError("the model does not exist", f"at {path}", "correct the path or export it first") from error
    except OSError as error:
        raise UserError(
            f"the model cannot be read ({error.strerror})", f"at {path}", "correct its permissions"
        ) from error
    except ValueError as error:  # a path with a null byte
        raise UserError("the model's path is none", f"at {path}", "correct the path") from error
    if size == 0:
        raise UserError("the model is empty", f"at {path}", "export it again with export_model.py")
    if len(data) < _LEAST_BYTES or data[4:8] != _IDENTIFIER:
        raise _damaged(path, "it does not begin as an ExecuTorch program")
    if wanted > size:
        raise _damaged(path, f"it has {size} bytes of {wanted}")
    return data, size


def _program_size(head: bytes, file_size: int) -> int:
    header = _extended_header(head)
    return header[0] if header else file_size


def _extended_header(head: bytes) -> tuple[int, int] | None:
    """Return the program's size and the segments' offset, where the file has an extended header."""
    if len(head) < _HEADER_AT + _EXTENDED_HEADER.size:
        return None
    magic, _, size, segments_at = _EXTENDED_HEADER.unpack_from(head, _HEADER_AT)
    return (size, segments_at) if magic == _EXTENDED_MAGIC else None


def _check_segments(data: bytes, file_size: int) -> None:
    """Refuse a program whose weights or delegates end beyond the file."""
    for start, size in segments(data):
        if start + size > file_size:
            raise FlatbufferError(f"it has {file_size} bytes of {start + size}")


def segments(data: bytes) -> list[tuple[int, int]]:
    """Return where each segment lies in the file, as (offset, size) in bytes."""
    header = _extended_header(data)
    base = header[1] if header else 0
    return [
        (base + segment.u64(_SEGMENT_OFFSET), segment.u64(_SEGMENT_SIZE))
        for segment in root_table(data).tables(PROGRAM_SEGMENTS)
    ]


def _specs(plan: FlatTable, field: int, path: Path) -> tuple[TensorSpec, ...]:
    values = plan.tables(PLAN_VALUES)
    specs = []
    for position, index in enumerate(plan.i32_list(field, _MOST_VALUES)):
        if not 0 <= index < len(values):
            raise FlatbufferError(f"value {index} of {len(values)}")
        value = values[index]
        if value.u8(EVALUE_TYPE) == TENSOR:
            specs.append(tensor_spec(value.table(EVALUE_VALUE)))
        elif field == _PLAN_INPUTS:
            raise UserError(
                f"input {position} is not a tensor", f"in {path}", "export the model with tensors as its inputs"
            )
    return tuple(specs)


def tensor_spec(tensor: FlatTable) -> TensorSpec:
    """Return what a tensor's table says; FlatbufferError where no tensor can be so."""
    shape = tensor.i32_list(_TENSOR_SIZES, _MOST_DIMENSIONS)
    order = tensor.u8_list(_TENSOR_DIM_ORDER, _MOST_DIMENSIONS)
    dtype = _DTYPES.get(tensor.u8(_TENSOR_TYPE))
    if dtype is None:
        raise FlatbufferError(f"a tensor of type {tensor.u8(_TENSOR_TYPE)}")
    if any(extent < 0 for extent in shape):
        raise FlatbufferError("a tensor of impossible shape")
    if order and sorted(order) != list(range(len(shape))):
        raise FlatbufferError("a tensor whose order of dimensions is none")
    spec = TensorSpec(tuple(shape), dtype, tuple(order), tensor.u8(_TENSOR_DYNAMISM) != _STATIC)
    if spec.nbytes > _MOST_TENSOR_BYTES:
        raise FlatbufferError("a tensor of impossible size")
    return spec


def _damaged(path: Path, why: str) -> UserError:
    return UserError(
        f"the model is damaged or no ExecuTorch program ({why})", f"at {path}", "export it again with export_model.py"
    )
