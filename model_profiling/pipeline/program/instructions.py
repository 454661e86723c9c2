# SPDX-License-Identifier: Apache-2.0
"""What a .pte executes: its instructions in order, and the graph of each XNNPACK delegate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from model_profiling.errors import UserError
from model_profiling.pipeline.program.flatbuffer import FlatbufferError, FlatTable, root_table
from model_profiling.pipeline.program.signature import (
    DELEGATE_ID,
    EVALUE_TYPE,
    EVALUE_VALUE,
    PLAN_DELEGATES,
    PLAN_VALUES,
    PROGRAM_DELEGATE_DATA,
    TENSOR,
    TensorSpec,
    choose_plan,
    computing_plans,
    read_program,
    segments,
    tensor_spec,
)
from model_profiling.pipeline.program.xnnpack_graph import HEADER_BYTES, XnnNode, graph_end, read_graph

#: Positions of fields in the tables of fbs.
_PLAN_CHAINS, _PLAN_OPERATORS = 5, 6
_CHAIN_INSTRUCTIONS = 2
_INSTRUCTION_KIND, _INSTRUCTION_VALUE = 0, 1
_KERNEL_CALL, _DELEGATE_CALL = 1, 2
_CALL_ARGUMENTS = 1
_TENSOR_LISTS, _LIST_ITEMS = (10, 11), 0  # of the union KernelTypes: without and with absent ones; their one field
_MOST_ARGUMENTS = 1024
_DELEGATE_PROCESSED = 1
_PROCESSED_LOCATION, _PROCESSED_INDEX = 0, 1
_IN_SEGMENT = 1
_XNNPACK = "XnnpackBackend"


@dataclass(frozen=True)
class Instruction:
    """One instruction; ETDump's instruction_id is its `index`.

    `name` is the operator (``aten::mean.out``) or the delegate's backend; `nodes` are an
    XNNPACK delegate's, empty for everything else. `tensors` are those of an operator's call,
    each once, what it gives last; empty for a delegate.
    """

    index: int
    name: str
    delegate: int | None
    nodes: tuple[XnnNode, ...] = ()
    tensors: tuple[TensorSpec, ...] = ()


def read_instructions(path: Path, method: str | None = None) -> tuple[Instruction, ...]:
    """Return the instructions of a method of the program, of its only one where none is named.

    Raises
    ------
    UserError : the .pte is missing, damaged, has no such method, or delegates in a form the kit does not know.
    """
    data, _ = read_program(path)
    try:
        root = root_table(data)
        plan = choose_plan(computing_plans(root), path, method)
        graphs = [_graph(path, data, root, delegate) for delegate in plan.tables(PLAN_DELEGATES)]
        operators = [_operator_name(o) for o in plan.tables(_PLAN_OPERATORS)]
        backends = [d.text(DELEGATE_ID) for d in plan.tables(PLAN_DELEGATES)]
        values, instructions = plan.tables(PLAN_VALUES), []
        for index, instruction in enumerate(plan.tables(_PLAN_CHAINS)[0].tables(_CHAIN_INSTRUCTIONS)):
            kind = instruction.u8(_INSTRUCTION_KIND)
            if kind not in (_KERNEL_CALL, _DELEGATE_CALL):
                continue
            call = instruction.table(_INSTRUCTION_VALUE)
            number = call.u32(0)
            if kind == _KERNEL_CALL:
                instructions.append(Instruction(index, operators[number], None, tensors=_tensors(call, values)))
            else:
                instructions.append(Instruction(index, backends[number], number, graphs[number]))
        return tuple(instructions)
    except (FlatbufferError, IndexError) as error:
        raise UserError(
            f"the model's instructions cannot be read ({error})",
            f"in {path}",
            "export it again with the pinned ExecuTorch",
        ) from error


def _operator_name(operator: FlatTable) -> str:
    overload = operator.text(1)
    return operator.text(0) + (f".{overload}" if overload else "")


def _tensors(call: FlatTable, values: Sequence[FlatTable]) -> tuple[TensorSpec, ...]:
    """Return the tensors of an operator's call, each once, by their last place; none where one is not readable."""
    try:
        places: list[int] = []
        for index in call.i32_list(_CALL_ARGUMENTS, _MOST_ARGUMENTS):
            held = values[index]
            lists = held.u8(EVALUE_TYPE) in _TENSOR_LISTS
            places += held.table(EVALUE_VALUE).i32_list(_LIST_ITEMS, _MOST_ARGUMENTS) if lists else [index]
        last = reversed(dict.fromkeys(index for index in reversed(places) if index >= 0))  # -1 is an absent tensor
        return tuple(
            tensor_spec(values[index].table(EVALUE_VALUE)) for index in last if values[index].u8(EVALUE_TYPE) == TENSOR
        )
    except (FlatbufferError, IndexError):
        return ()


def _graph(path: Path, data: bytes, root: FlatTable, delegate: FlatTable) -> tuple[XnnNode, ...]:
    if delegate.text(DELEGATE_ID) != _XNNPACK:
        return ()
    processed = delegate.table(_DELEGATE_PROCESSED)
    index = processed.u32(_PROCESSED_INDEX)
    if processed.u8(_PROCESSED_LOCATION) != _IN_SEGMENT:
        return read_graph(root.tables(PROGRAM_DELEGATE_DATA)[index].raw(0))
    start, size = segments(data)[index]
    with open(path, "rb") as file:
        # The graph lies before the weights: a blob of hundreds of MB is not read whole.
        file.seek(start)
        head = file.read(min(size, HEADER_BYTES))
        return read_graph(head + file.read(max(0, min(size, graph_end(head)) - len(head))))
