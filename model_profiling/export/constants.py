# SPDX-License-Identifier: Apache-2.0
"""What a program stores beside its weights, and which line of the model that comes from.

A `.pte` much larger than its weights has constants in it: tables computed once in Python, whole
tensors that do not depend on the input, or a weight stored twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, TypedDict, cast

from model_profiling.export.program_graph import is_mark, lowered_modules
from model_profiling.models.graph_places import module_of, operator_of, source_of

if TYPE_CHECKING:
    import torch
    from executorch.exir import EdgeProgramManager

#: A program is normal up to this many times its weights.
NORMAL_RATIO = 1.2
#: Constants below a page of memory are never worth a change of the model.
SMALLEST_LISTED_BYTES = 4096
_WEIGHT, _BUFFER, _CONSTANT = "weight", "buffer", "constant"
# Operators whose second input is a weight.
_MULTIPLIES = re.compile(r"convolution|conv\dd|linear|addmm|(^|\.)mm\.")


@dataclass(frozen=True)
class Constant:
    """A tensor stored in a program.

    `kind` is "weight" (a parameter), "buffer" or "constant" (a plain tensor of the model's, or one
    made while the graph was captured); `name` its name in the model; `copies` how often it is
    stored; `module` and `source` where it is first used.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    dtype: str
    bytes: int
    copies: int
    module: str
    source: str


def read_constants(edge: EdgeProgramManager) -> tuple[Constant, ...]:
    """Return every tensor that the lowered program stores, largest first; its methods share what both have."""
    stored: dict[tuple[str, str], Constant] = {}
    for method in sorted(edge.methods):
        for key, constant in _of_method(edge.exported_program(method)).items():
            if key not in stored or stored[key].copies < constant.copies:
                stored[key] = constant
    return tuple(sorted(stored.values(), key=lambda one: -one.bytes * one.copies))


def _of_method(program: torch.export.ExportedProgram) -> dict[tuple[str, str], Constant]:
    # However many delegates share a constant, XNNPACK's backend keeps its bytes once.
    inside = {
        (one.kind, one.name): one
        for lowered in reversed(list(lowered_modules(program.graph_module)))
        for one in _inside(lowered.original_module)
    }
    outside = {(one.kind, one.name): one for one in _outside(program)}
    both = {key: replace(inside[key], copies=2) for key in inside.keys() & outside.keys()}
    return {**outside, **inside, **both}


def weights_bytes(constants: tuple[Constant, ...]) -> int:
    """Return the size of the parameters, each counted once, in the types they are stored in."""
    return sum(one.bytes for one in constants if one.kind == _WEIGHT)


def excess(constants: tuple[Constant, ...], pte_bytes: int) -> tuple[Constant, ...]:
    """Return the constants that make a `.pte` of `pte_bytes` larger than `NORMAL_RATIO` times its weights.

    Largest first, and no more than are needed to explain it; none in a program of normal size.
    """
    listed, left, normal = [], pte_bytes, NORMAL_RATIO * weights_bytes(constants)
    for one, size in sorted(((one, _extra(one)) for one in constants), key=lambda pair: -pair[1]):
        if left <= normal or size < SMALLEST_LISTED_BYTES:
            break
        listed.append(one)
        left -= size
    return tuple(listed)


class ConstantFacts(TypedDict):
    """A `Constant` as the export's record has it."""

    name: str
    kind: str
    shape: list[int]
    dtype: str
    bytes: int
    copies: int
    module: str
    source: str


class ConstantsFacts(TypedDict):
    """What the export's record says of constants; `excess` is empty in a program of normal size."""

    weights_bytes: int
    pte_to_weights: float | None
    excess: list[ConstantFacts]


def describe_constants(constants: tuple[Constant, ...], pte_bytes: int) -> ConstantsFacts:
    """Return what the export's record says of constants."""
    weights = weights_bytes(constants)
    return {
        "weights_bytes": weights,
        "pte_to_weights": round(pte_bytes / weights, 3) if weights else None,
        "excess": [
            cast("ConstantFacts", {**asdict(one), "shape": list(one.shape)}) for one in excess(constants, pte_bytes)
        ],
    }


def _extra(constant: Constant) -> int:
    """Return the bytes that are no weight: all of a constant, or the copies of a weight after the first."""
    return constant.bytes * (constant.copies - (constant.kind == _WEIGHT))


def _outside(program: torch.export.ExportedProgram) -> Iterator[Constant]:
    """Yield what operators outside the delegates use; state that the model updates is not stored."""
    mutated = set(program.graph_signature.buffers_to_mutate.values())
    for node in program.graph.nodes:
        kind, name = _stored(program, node)
        if kind and name not in mutated and any(user.op == "call_function" for user in node.users):
            yield _constant(node, kind, name)


def _inside(program: torch.export.ExportedProgram) -> Iterator[Constant]:
    """Yield what a delegate stores."""
    for node in program.graph.nodes:
        kind, name = _stored(program, node)
        if kind and node.users:
            yield _constant(node, kind, name)


def _stored(program: torch.export.ExportedProgram, node: torch.fx.Node) -> tuple[str, str]:
    """Return a stored tensor's kind and name, two empty strings for any other node."""
    signature = program.graph_signature
    for kind, names in (
        (_WEIGHT, signature.inputs_to_parameters),
        (_BUFFER, signature.inputs_to_buffers),
        (_CONSTANT, signature.inputs_to_lifted_tensor_constants),
    ):
        if node.op == "placeholder" and node.name in names:
            return _WEIGHT if _is_quantized_weight(node) else kind, names[node.name]
    return "", ""


def _is_quantized_weight(node: torch.fx.Node) -> bool:
    """Tell whether `node` is a weight that quantization replaced: its parameter has become a buffer."""
    return any(
        is_mark(mark) and mark.args[0] is node and any(_MULTIPLIES.search(operator_of(user)) for user in mark.users)
        for mark in node.users
        if mark.op == "call_function"
    )


def _constant(node: torch.fx.Node, kind: str, name: str) -> Constant:
    value = node.meta["val"]
    placed = next((one for one in _uses(node) if source_of(one)), node)
    return Constant(
        name,
        kind,
        tuple(map(int, value.shape)),
        str(value.dtype).removeprefix("torch."),
        _bytes(node),
        1,
        module_of(placed),
        source_of(placed),
    )


def _uses(node: torch.fx.Node) -> Iterator[torch.fx.Node]:
    """Yield the operators that use `node`, those inside of a delegate that it is handed to included."""
    for user in node.users:
        yield user
        lowered = (
            getattr(node.graph.owning_module, str(getattr(user.args[0], "target", "")), None) if user.args else None
        )
        original = getattr(lowered, "original_module", None)
        if original is not None:
            inner = [one for one in original.graph.nodes if one.op == "placeholder" and one.name == node.name]
            yield from (use for one in inner for use in one.users)


def _bytes(node: torch.fx.Node) -> int:
    import torch

    value = node.meta.get("val")
    return value.numel() * value.element_size() if isinstance(value, torch.Tensor) else 0
