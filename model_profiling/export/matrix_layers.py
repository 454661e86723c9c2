# SPDX-License-Identifier: Apache-2.0
"""The matrix layers of a lowered program, before anything runs: what each is, on which numbers, how large.

They are read from the graphs that were handed to XNNPACK, with ExecuTorch's own reading of the quantization marks
around them, so that a layer that a recipe left alone counts as what it became.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, cast

from model_profiling.export.multiply_adds import of_node, shape_of
from model_profiling.export.program_graph import graphs, is_work, lowered_modules
from model_profiling.models.graph_places import module_of, operator_of, origin_of, source_of

if TYPE_CHECKING:
    import torch

#: Kinds of layers, as XNNPACK divides them into operators. A convolution of another kernel or stride counts as the
#: 3x3 one, a 1x1 convolution with a stride too: all of them run as its indirect convolution.
LINEAR, PRODUCT = "linear", "batch matmul"
CONV_1X1, CONV_3X3, GROUPED, DEPTHWISE = "conv 1x1", "conv 3x3", "grouped conv 3x3", "depthwise conv 3x3"
TRANSPOSED = "transposed conv 2x2"
KINDS = (LINEAR, CONV_1X1, CONV_3X3, GROUPED, DEPTHWISE, TRANSPOSED, PRODUCT)
#: What a layer computes on. The last three take activations whose scales are found while the model runs.
FLOAT32, FLOAT16, INT8, INT8_DYNAMIC, INT4_DYNAMIC, INT4_GROUPS = NUMBERS = (
    "float32",
    "float16",
    "int8",
    "8da8w",
    "8da4w",
    "8da4w in groups",
)
_BIASED = ("addmm.default", "baddbmm.default")  # their first argument is added to the product of the next two


@dataclass(frozen=True)
class ExportedLayer:
    """A matrix layer of an exported program.

    `numbers` is one of `NUMBERS`, else torch's name of the type. `rows` are those of its matrix product: for a
    convolution the positions of its output (transposed, of its input), at the example's shapes. `delegated` says
    whether XNNPACK has it.
    """

    module: str
    source: str
    kind: str
    numbers: str
    rows: int
    multiply_adds: int
    delegated: bool

    def to_json(self) -> dict[str, object]:
        return asdict(self)


def read_matrix_layers(program: torch.export.ExportedProgram) -> tuple[ExportedLayer, ...]:
    """Return the matrix layers of a program in the edge dialect, those in delegates first."""
    delegated = [lowered.original_module for lowered in lowered_modules(program.graph_module)]
    inside = (
        _layer(node, part, _numbers(node, part), delegated=True)
        for part in delegated
        for node in _matrix_nodes(part.graph)
    )
    outside = (
        _layer(node, program, _type_of(node), delegated=False)
        for graph in graphs(program.graph_module)
        for node in _matrix_nodes(graph)
    )
    return (*inside, *outside)


def _matrix_nodes(graph: torch.fx.Graph) -> Iterator[torch.fx.Node]:
    return (node for node in graph.nodes if is_work(node) and of_node(node))


def _layer(node: torch.fx.Node, program: torch.export.ExportedProgram, numbers: str, delegated: bool) -> ExportedLayer:
    kind = _kind(node, program)
    positions = node.args[0] if kind == TRANSPOSED else node
    shape = shape_of(positions)
    if "convolution" in operator_of(node):
        rows = shape[0] * math.prod(shape[2:])
    else:
        rows = shape[-2] if kind == PRODUCT and len(shape) > 1 else math.prod(shape[:-1])
    return ExportedLayer(module_of(node), source_of(node), kind, numbers, rows, of_node(node), delegated)


def _kind(node: torch.fx.Node, program: torch.export.ExportedProgram) -> str:
    if "convolution" not in operator_of(node):
        linear = "linear" in (_name(node).partition(".")[0], origin_of(node))
        return LINEAR if linear or _has_stored_weight(node, program) else PRODUCT
    weight, stride, transposed, groups = shape_of(node.args[1]), node.args[3], node.args[6], node.args[8]
    if transposed:
        return TRANSPOSED
    if groups != 1:
        return DEPTHWISE if weight[1] == 1 else GROUPED
    return CONV_1X1 if {*weight[2:], *cast("Sequence[int]", stride)} == {1} else CONV_3X3


def _has_stored_weight(node: torch.fx.Node, program: torch.export.ExportedProgram) -> bool:
    """Tell whether a product's second factor is a constant of the model: XNNPACK runs it as a linear layer."""
    from executorch.backends.xnnpack.utils.quant_utils import is_dequant, is_quant
    from executorch.backends.xnnpack.utils.utils import is_param_node

    weight = _factors(node)[1]
    for is_mark_of in (is_dequant, is_quant):  # a weight that is not folded is quantized where it is used
        if is_mark_of(weight):
            weight = cast("torch.fx.Node", weight.args[0])
    return bool(is_param_node(program, weight))


def _factors(node: torch.fx.Node) -> tuple[torch.fx.Node, torch.fx.Node]:
    """Return what a layer multiplies: its activations, and its weight or the other activations."""
    first = 1 if _name(node) in _BIASED else 0
    return cast("torch.fx.Node", node.args[first]), cast("torch.fx.Node", node.args[first + 1])


def _name(node: torch.fx.Node) -> str:
    return operator_of(node).removeprefix("aten.")


def _numbers(node: torch.fx.Node, program: torch.export.ExportedProgram) -> str:
    from executorch.backends.xnnpack.operators.quant_params import QuantParams
    from executorch.backends.xnnpack.utils.quant_utils import is_dequant, is_dynamic_qdq

    activations, weight = _factors(node)
    if not is_dequant(weight) or not _has_stored_weight(node, program):
        return _type_of(node)
    stored = QuantParams.from_weights(weight, program)
    if stored is None or not is_dynamic_qdq(activations):
        return INT8
    if not stored.is_qc4w:
        return INT8_DYNAMIC
    return INT4_GROUPS if stored.per_channel_group else INT4_DYNAMIC


def _type_of(node: torch.fx.Node) -> str:
    return str(node.meta["val"].dtype).removeprefix("torch.")
