# SPDX-License-Identifier: Apache-2.0
"""Ties the places that an export recorded to the instructions of its program, and to the nodes of its delegates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from model_profiling.pipeline.program.instructions import Instruction
from model_profiling.pipeline.program.xnnpack_graph import NO_HANDLE, XnnNode

#: What ExecuTorch puts around the body of a loop, of which the model knows nothing (`_emit_map` and `_emit_scan` of
#: `exir/emit/_emitter.py`, 1.5.1).
_AROUND_LOOPS = frozenset(
    (
        "aten::sym_size.int",
        "aten::select_copy.int_out",
        "aten::copy_",
        "executorch_prim::et_copy_index.tensor",
        "executorch_prim::add.Scalar",
        "executorch_prim::eq.Scalar",
        "executorch_prim::sub.Scalar",
    )
)
#: Names that the export's graph and the program do not share.
_RENAMED = {"view": "executorch_prim.et_view"}
_DELEGATE = "executorch_call_delegate"
#: The last operators of a linear layer that was taken apart: over more than two dimensions it ends with a view.
_LINEAR = frozenset(("aten.addmm.default", "aten.mm.default", "aten.view_copy.default"))


def fit(instructions: Sequence[Instruction], places: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]] | None:
    """Return the place of each instruction, an empty one of those that ExecuTorch adds to loops.

    None where the places are not of these instructions.
    """
    fitted: list[Mapping[str, Any]] = []
    taken = 0
    for instruction in instructions:
        if taken < len(places) and _is_of(instruction, places[taken]):
            fitted.append(places[taken])
            taken += 1
        elif instruction.name in _AROUND_LOOPS:
            fitted.append({})
        else:
            return None
    return fitted if taken == len(places) else None


def _is_of(instruction: Instruction, place: Mapping[str, Any]) -> bool:
    operator = str(place.get("operator"))
    if instruction.delegate is not None or operator == _DELEGATE:
        return instruction.delegate is not None and operator == _DELEGATE
    # The export's graph separates a namespace by a dot, and names an overload that a program leaves out.
    name = instruction.name.replace("::", ".", 1).removesuffix(".default")
    return name == _RENAMED.get(operator, operator.removesuffix(".default"))


def with_handles(nodes: Sequence[XnnNode], handles: Mapping[str, Mapping[str, Any]]) -> tuple[XnnNode, ...]:
    """Return a delegate's nodes, linear layers that lost their debug handle with it.

    XNNPACK's lowering makes linear layers anew where they were taken apart (as beside branches and loops), without
    their handle. Those are, in order, the linear layers among `handles`, the record's, that no node has.
    """
    taken = {node.handle for node in nodes}
    lost = [node.index for node in nodes if node.handle == NO_HANDLE and node.kind == "FullyConnected"]
    free = [int(h) for h, place in handles.items() if place.get("operator") in _LINEAR and int(h) not in taken]
    found = dict(zip(lost, free, strict=True)) if len(lost) == len(free) else {}
    return tuple(replace(node, handle=found.get(node.index, node.handle)) for node in nodes)
