# SPDX-License-Identifier: Apache-2.0
"""The model's layers as a run keeps them: what the .pte executes, joined with where it comes from.

Stored in the run directory, so that a run can be analyzed where its model is not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from model_profiling.errors import UserError
from model_profiling.files import read_json, sha256, write_json
from model_profiling.pipeline.program.instructions import Instruction, read_instructions
from model_profiling.pipeline.program.movement import Moved, call_bytes, call_recipe, node_bytes, node_recipe
from model_profiling.pipeline.program.placing import fit, with_handles
from model_profiling.pipeline.program.varying_shapes import at_sizes
from model_profiling.pipeline.program.workload import Resolved, Workload, resolve
from model_profiling.pipeline.program.xnnpack_graph import XnnNode, XnnTensor
from model_profiling.wording import count

SCHEMA_VERSION = 1
_MATRIX_KINDS = frozenset(("Conv2d", "DepthwiseConv2d", "ConvTranspose2d", "FullyConnected", "BatchMatrixMultiply"))


@dataclass(frozen=True)
class Node:
    """One node of a delegate: what it computes, on what, and where it stands in the model.

    `module`, `operator` and `source` are "" where the export left no record. `inputs` are
    the shapes of what flows in (weights left out), `output` of what flows out, both in
    XNNPACK's order of dimensions (NHWC). `detail` says the same for people. `recipe` is that
    of a matrix node's number types, `moved` what it reads and writes at least (`movement`);
    "" and None where that is not known, as in runs of before.
    """

    kind: str
    module: str
    operator: str
    source: str
    detail: str
    inputs: tuple[tuple[int, ...], ...]
    output: tuple[int, ...]
    multiply_adds: int
    recipe: str = ""
    moved: Moved | None = None

    @property
    def is_matrix(self) -> bool:
        """Whether the node is a matrix product or a convolution, which SME2 accelerates."""
        return self.kind in _MATRIX_KINDS


@dataclass(frozen=True)
class GraphInstruction:
    """One instruction that computes; `index` is ETDump's instruction id, which counts jumps and moves too.

    `multiply_adds` are those of an operator outside the delegates, at the example's shapes: 0 where it is no matrix
    layer, or the export recorded none. `recipe` and `moved` are those of an operator outside the delegates too.
    """

    index: int
    name: str
    module: str
    source: str
    nodes: tuple[Node, ...]
    multiply_adds: int = 0
    recipe: str = ""
    moved: Moved | None = None


def build_graph(workload: Workload) -> tuple[GraphInstruction, ...]:
    """Return the instructions of a method, with places from the export's record where it fits.

    Where shapes vary, those of nodes are of the inputs' shapes that run.

    Raises
    ------
    UserError : the .pte or the record beside it cannot be read, or does not tell what shapes nodes have.
    """
    resolved = resolve(workload)
    instructions = read_instructions(workload.model, resolved.signature.method)
    places = fit(instructions, _places(resolved)) or [{}] * len(instructions)  # no record, or one of another program
    graph = []
    for instruction, place in zip(instructions, places, strict=True):
        handles = place.get("handles", {})
        nodes = with_handles(instruction.nodes, handles)
        if resolved.signature.dynamic:
            nodes = at_sizes(nodes, handles, resolved.sizes, workload.model)
        graph.append(_instruction(replace(instruction, nodes=nodes), place))
    return tuple(graph)


def write_graph(path: Path, graph: Sequence[GraphInstruction]) -> Path:
    """Write a graph as JSON, whole or not at all."""
    return write_json(path, {"schema_version": SCHEMA_VERSION, "instructions": [asdict(i) for i in graph]})


def read_graph(path: Path) -> tuple[GraphInstruction, ...]:
    """Return the graph that `write_graph` wrote.

    Raises
    ------
    UserError : the file is missing, damaged or of another version.
    """
    plain: Any = read_json(path, "model graph")
    try:
        if plain["schema_version"] != SCHEMA_VERSION:
            raise ValueError("another version")
        return tuple(_from_json(number, i) for number, i in enumerate(plain["instructions"]))
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"the model graph cannot be used ({error})", f"at {path}", "run the experiment again"
        ) from error


def _from_json(number: int, plain: Mapping[str, Any]) -> GraphInstruction:
    nodes = (
        Node(**{**n, "inputs": tuple(tuple(s) for s in n["inputs"]), "output": tuple(n["output"]), "moved": _moved(n)})
        for n in plain["nodes"]
    )
    index = plain.get("index", number)  # runs of before have none, nor what follows
    costs = plain.get("multiply_adds", 0), plain.get("recipe", ""), _moved(plain)
    return GraphInstruction(index, plain["name"], plain["module"], plain["source"], tuple(nodes), *costs)


def _moved(plain: Mapping[str, Any]) -> Moved | None:
    moved = plain.get("moved")
    return None if moved is None else Moved(**moved)


def _places(resolved: Resolved) -> list[Mapping[str, Any]]:
    record = resolved.record
    if record is None or record.get("pte", {}).get("sha256") != sha256(resolved.workload.model):
        return []
    return list(record.get("places", []))


def _instruction(instruction: Instruction, place: Mapping[str, Any]) -> GraphInstruction:
    handles = place.get("handles", {})
    nodes = tuple(_node(n, handles.get(str(n.handle), {})) for n in instruction.nodes)
    where = place.get("module", ""), place.get("source", "")
    work = place.get("multiply_adds", 0)
    if nodes:
        return GraphInstruction(instruction.index, instruction.name, *where, nodes, work)
    recipe, moved = call_recipe(instruction.tensors), call_bytes(instruction.name, instruction.tensors)
    return GraphInstruction(instruction.index, instruction.name, *where, (), work, recipe, moved)


def _node(node: XnnNode, place: Mapping[str, Any]) -> Node:
    flowing = tuple(t.dims for t in node.inputs if not t.constant)
    return Node(
        kind=node.kind,
        module=place.get("module", ""),
        operator=place.get("operator", ""),
        source=place.get("source", ""),
        detail=_detail(node),
        inputs=flowing,
        output=node.output.dims,
        multiply_adds=node.multiply_adds,
        recipe=node_recipe(node) if node.kind in _MATRIX_KINDS else "",
        moved=node_bytes(node),
    )


def _detail(node: XnnNode) -> str:
    """Return a layer in the words of the field: "3x3 conv, stride 2, 3->16, 112x112"."""
    first = node.inputs[0] if node.inputs else node.output
    if node.kind in ("Conv2d", "DepthwiseConv2d", "ConvTranspose2d") and node.kernel:
        return _convolution(node, first, node.kernel)
    if node.kind in ("FullyConnected", "BatchMatrixMultiply") and first.dims and node.output.dims:
        word = "linear" if node.kind == "FullyConnected" else "matmul"
        rows = first.elements // max(first.dims[-1], 1)
        return f"{word}, {first.dims[-1]}->{node.output.dims[-1]}, {count(rows, 'row', thousands='')}"
    return f"{_words(node.kind)}, {_shape(node.output.dims)}"


def _convolution(node: XnnNode, first: XnnTensor, kernel: tuple[int, int, int, int]) -> str:
    height, width, stride, groups = kernel
    word = {"Conv2d": "conv", "DepthwiseConv2d": "depthwise conv", "ConvTranspose2d": "transposed conv"}[node.kind]
    parts = [f"{height}x{width} {word}"]
    if stride != 1:
        parts.append(f"stride {stride}")
    if groups > 1 and node.kind != "DepthwiseConv2d":
        parts.append(f"{groups} groups")
    parts.append(f"{first.dims[-1]}->{node.output.dims[-1]}" if first.dims and node.output.dims else "")
    parts.append(_shape(node.output.dims[1:-1]))
    return ", ".join(p for p in parts if p)


def _words(kind: str) -> str:
    """Return a kind of XNNPACK's schema in words: "StaticResizeBilinear2D" is "resize bilinear"."""
    name = re.sub(r"\d[dD]?\Z", "", kind.removeprefix("Static"))
    return re.sub(r"(?<=[a-z])(?=[A-Z][a-z])", " ", name).lower()


def _shape(dims: Sequence[int]) -> str:
    return "x".join(map(str, dims)) or "scalar"
