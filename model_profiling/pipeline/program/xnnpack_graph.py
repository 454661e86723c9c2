# SPDX-License-Identifier: Apache-2.0
"""The graph inside an XNNPACK delegate's blob: its nodes in execution order, their tensors and costs.

Layout: `XNNHeader` in executorch.backends.xnnpack.serialization.xnnpack_graph_serialize and the
flatbuffer schema beside it (schema.fbs, identifier XN01). Read without torch, every offset checked.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass

from model_profiling.pipeline.program.flatbuffer import FlatbufferError, FlatTable, root_table

_MAGIC_AT, _MAGIC = slice(4, 8), b"XH00"
_FLATBUFFER_SPAN = struct.Struct("<II")  # offset and size, after the header's own length
_FLATBUFFER_SPAN_AT = 10
#: As many bytes of a blob tell where its graph lies.
HEADER_BYTES = 18

_GRAPH_NODES, _GRAPH_VALUES = 1, 2
_NODE_KIND, _NODE_VALUE, _NODE_HANDLE = 0, 1, 2
_QUANTIZED_VALUE = 2
_TENSOR_TYPE, _TENSOR_DIMS, _TENSOR_CONSTANT, _TENSOR_ID = 0, 2, 3, 6
#: A node that the lowering inserted (a layout change, say) has this debug handle.
NO_HANDLE = 65535

_MOST_DIMENSIONS = 16

_DATATYPES = (
    "invalid",
    "fp32",
    "fp16",
    "qint8",
    "quint8",
    "qint32",
    "qcint8",
    "qcint32",
    "qcint4",
    "qdint8",
    "qbint4",
    "qpint8",
    "int32",
    "pfp32",
    "bf16",
)

#: Nodes by the order of the schema's union, each with the positions of its inputs and its output.
_UNARY, _BINARY, _CONVOLUTION, _POOLING = ((0,), 1), ((0, 1), 2), ((15, 16, 17), 18), ((10,), 11)
_CONCATENATE = ((1, 2, 3, 4, 7), 5)
_KINDS: tuple[tuple[str, tuple[tuple[int, ...], int]], ...] = (
    ("Add", _BINARY),
    ("FullyConnected", ((0, 1, 2), 3)),
    ("Softmax", _UNARY),
    ("Sigmoid", _UNARY),
    ("StaticTranspose", ((2,), 3)),
    ("Clamp", _UNARY),
    ("Conv2d", _CONVOLUTION),
    ("Div", _BINARY),
    ("StaticResizeBilinear2D", ((2,), 3)),
    ("StaticConstantPad", ((3,), 4)),
    ("AvgPooling2d", _POOLING),
    ("Minimum", _BINARY),
    ("DepthwiseConv2d", _CONVOLUTION),
    ("MaxPooling2d", _POOLING),
    ("Multiply", _BINARY),
    ("Subtract", _BINARY),
    ("Floor", _UNARY),
    ("Convert", _UNARY),
    ("GlobalAvgPooling2d", _UNARY),
    ("StaticReshape", ((2,), 3)),
    ("ArgMaxPooling2d", ((6,), 7)),
    ("SquareRoot", _UNARY),
    ("Ceiling", _UNARY),
    ("Hardswish", _UNARY),
    ("LeakyReLU", ((1,), 2)),
    ("Maximum", _BINARY),
    ("Negate", _UNARY),
    ("Square", _UNARY),
    ("ELU", ((1,), 2)),
    ("Abs", _UNARY),
    ("PReLU", _BINARY),
    ("Concatenate2", _CONCATENATE),
    ("Concatenate3", _CONCATENATE),
    ("Concatenate4", _CONCATENATE),
    ("StaticSlice", ((3,), 4)),
    ("ScaledDotProductAttention", ((0, 1, 2, 3, 4), 5)),
    ("BatchMatrixMultiply", _BINARY),
    ("Concatenate5", _CONCATENATE),
    ("ConvTranspose2d", _CONVOLUTION),
    ("ReciprocalSquareRoot", _UNARY),
    ("Log", _UNARY),
    ("Gelu", _UNARY),
    ("Tanh", _UNARY),
    ("Exp", _UNARY),
    ("Sin", _UNARY),
    ("Copy", _UNARY),
    ("Cos", _UNARY),
)
NODE_KINDS = tuple(name for name, _ in _KINDS)
_KERNEL_H, _KERNEL_W, _STRIDE_H, _GROUP_INPUTS, _GROUP_OUTPUTS, _GROUPS = 4, 5, 6, 10, 11, 12
#: The debug handle of a node of which the lowering knew none (`DEFAULT_DEBUG_HANDLE` of `xnnpack_preprocess.py`).
NO_HANDLE = 65535
_INPUT_COUNT = {"Concatenate2": 2, "Concatenate3": 3, "Concatenate4": 4}


@dataclass(frozen=True)
class XnnTensor:
    """A tensor of the graph; `dims` are in XNNPACK's order (NHWC where a node asks for it), `id` is its number."""

    dims: tuple[int, ...]
    datatype: str
    constant: bool
    id: int

    @property
    def elements(self) -> int:
        return math.prod(self.dims)


@dataclass(frozen=True)
class XnnNode:
    """One node: its place in execution order, kind, tensors, and the handle of its source node.

    `kernel` is (height, width, stride, groups) of a convolution or pooling, else None. `work` are the
    multiply-adds for each element of a convolution's output (transposed, of its input), 0 for everything else.
    """

    index: int
    kind: str
    handle: int
    inputs: tuple[XnnTensor, ...]
    output: XnnTensor
    kernel: tuple[int, int, int, int] | None
    work: int

    @property
    def multiply_adds(self) -> int:
        """The node's multiply-adds; only matrix products and convolutions have any."""
        if not self.inputs or not self.inputs[0].dims:
            return 0
        if self.kind in ("FullyConnected", "BatchMatrixMultiply"):
            return self.output.elements * self.inputs[0].dims[-1]
        # Transposed, every input element meets every output channel of its group.
        return self.work * (self.inputs[0] if self.kind == "ConvTranspose2d" else self.output).elements


def read_graph(blob: bytes) -> tuple[XnnNode, ...]:
    """Return the nodes of a delegate's blob in execution order.

    Raises
    ------
    FlatbufferError : the blob is not of this layout, or contradicts it.
    """
    end = graph_end(blob)
    if end > len(blob):
        raise FlatbufferError("the delegate's graph runs over its blob")
    graph = root_table(blob[_span(blob)[0] : end])
    tensors = dict(_tensor(value) for value in graph.tables(_GRAPH_VALUES))
    return tuple(_node(index, node, tensors) for index, node in enumerate(graph.tables(_GRAPH_NODES)))


def graph_end(head: bytes) -> int:
    """Return where the graph ends in a blob, in bytes, from the blob's first `HEADER_BYTES`."""
    start, size = _span(head)
    return start + size


def _span(head: bytes) -> tuple[int, int]:
    if head[_MAGIC_AT] != _MAGIC or len(head) < HEADER_BYTES:
        raise FlatbufferError("the delegate's blob has no XNNPACK header")
    return _FLATBUFFER_SPAN.unpack_from(head, _FLATBUFFER_SPAN_AT)


def _tensor(value: FlatTable) -> tuple[int, XnnTensor]:
    tensor = value.table(1)
    if value.u8(0) == _QUANTIZED_VALUE:
        tensor = tensor.table(0)
    datatype = tensor.u8(_TENSOR_TYPE)  # a short, of which fifteen values are used
    name = _DATATYPES[datatype] if datatype < len(_DATATYPES) else "unknown"
    dims = tuple(n & 0xFFFFFFFF for n in tensor.i32_list(_TENSOR_DIMS, _MOST_DIMENSIONS))
    number = tensor.u32(_TENSOR_ID)
    return number, XnnTensor(dims, name, tensor.u32(_TENSOR_CONSTANT) != 0, number)


def _node(index: int, node: FlatTable, tensors: dict[int, XnnTensor]) -> XnnNode:
    number = node.u8(_NODE_KIND)
    if not 1 <= number <= len(_KINDS):
        raise FlatbufferError(f"a node of unknown kind {number}")
    kind, (input_fields, output_field) = _KINDS[number - 1]
    value = node.table(_NODE_VALUE)
    fields = input_fields[: _INPUT_COUNT.get(kind)]
    try:
        output = tensors[value.u32(output_field)]
    except KeyError as error:
        raise FlatbufferError(f"node {index} gives a tensor that is not there") from error
    inputs = tuple(tensors[i] for i in (value.u32(field) for field in fields) if i in tensors)
    kernel = None
    if input_fields in (_CONVOLUTION[0], _POOLING[0]):
        groups = value.u32(_GROUPS) if input_fields == _CONVOLUTION[0] else 1
        kernel = (value.u32(_KERNEL_H), value.u32(_KERNEL_W), value.u32(_STRIDE_H), groups)
    return XnnNode(index, kind, node.u32(_NODE_HANDLE), inputs, output, kernel, _work(kind, value))


def _work(kind: str, value: FlatTable) -> int:
    """Return a convolution's multiply-adds for each element that counts; see `XnnNode`."""
    if kind not in ("Conv2d", "DepthwiseConv2d", "ConvTranspose2d"):
        return 0
    taps = value.u32(_KERNEL_H) * value.u32(_KERNEL_W)
    if kind == "ConvTranspose2d":
        return taps * value.u32(_GROUP_OUTPUTS)
    return taps * (1 if kind == "DepthwiseConv2d" else value.u32(_GROUP_INPUTS))
