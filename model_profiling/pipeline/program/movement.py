# SPDX-License-Identifier: Apache-2.0
"""What an operator has to move at least: bytes read and written, from the number types of its own tensors.

A tensor that is read several times counts once, as if the caches were perfect; what an operator need not read, such as
what a slice leaves out, does not count. So the bytes are a lower bound: no kernel moves fewer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from model_profiling.pipeline.program.signature import TensorSpec
from model_profiling.pipeline.program.xnnpack_graph import XnnNode, XnnTensor

#: Bits of an element by XNNPACK's data types (xnn_datatype). The scales of quantized ones, one for a channel, a group
#: or a row, are left out: that errs on the side of a lower bound.
_BITS = {
    "fp32": 32,
    "fp16": 16,
    "qint8": 8,
    "quint8": 8,
    "qint32": 32,
    "qcint8": 8,
    "qcint32": 32,
    "qcint4": 4,
    "qdint8": 8,
    "qbint4": 4,
    "qpint8": 8,
    "int32": 32,
    "pfp32": 32,
    "bf16": 16,
}
#: The recipe that multiplies these types, activations by weights; others are of no recipe.
_RECIPES = {
    ("fp32", "fp32"): "fp32",
    ("fp16", "fp16"): "fp16",
    ("fp16", "fp32"): "fp16",  # filters of convolutions: see `_as_computed`
    ("qint8", "qint8"): "int8",
    ("qint8", "qcint8"): "int8",
    ("qdint8", "qint8"): "8da8w",
    ("qdint8", "qcint8"): "8da8w",
    ("qdint8", "qcint4"): "8da4w",
    ("qdint8", "qbint4"): "8da4w",
}
_TENSOR_RECIPES = {"float32": "fp32", "float16": "fp16"}
#: A bilinear sample reads four elements.
_SAMPLES = 4
#: Operators outside XNNPACK that read what they give, whatever their input holds beside it.
_SELECTING = frozenset(("embedding", "gather", "index", "index_select", "select_copy", "slice_copy", "unfold_copy"))
#: The runtime's own operators: one lays nothing anew, of the others the kit does not know what they move.
_RUNTIME, _VIEW = "executorch_prim::", "executorch_prim::et_view"


@dataclass(frozen=True)
class Moved:
    """Bytes read and written, at least; `stored` of those read are the program's own: weights and constants."""

    read: int
    written: int
    stored: int = 0

    @property
    def total(self) -> int:
        return self.read + self.written


def node_recipe(node: XnnNode) -> str:
    """Return the recipe of a matrix node's number types (`fp32`, `8da4w`, ...), "" where it is none's."""
    if len(node.inputs) < 2:
        return ""
    return _RECIPES.get((node.inputs[0].datatype, node.inputs[1].datatype), "")


def node_bytes(node: XnnNode) -> Moved | None:
    """Return what a node of a delegate moves at least, None where a type is not known."""
    written = _bytes(node.output)
    tensors = {tensor.id: tensor for tensor in node.inputs}.values()
    read = [_bytes(_as_computed(node, tensor)) for tensor in tensors]
    known = [size for size in read if size is not None]
    if written is None or len(known) < len(read):
        return None
    stored = sum(size for size, tensor in zip(known, tensors, strict=True) if tensor.constant)
    return Moved(sum(_needed(node, known, written)) if known else 0, written, stored)


def _needed(node: XnnNode, read: Sequence[int], written: int) -> Sequence[int]:
    """Return the bytes of each input that the node cannot do without."""
    flowing, *rest = read
    if node.kind == "StaticSlice":
        return (min(flowing, written),)
    if node.kind == "StaticResizeBilinear2D":
        return (min(flowing, _SAMPLES * written),)
    if node.kind in ("Conv2d", "DepthwiseConv2d") and node.kernel:
        height, width, stride, _ = node.kernel  # a kernel that is smaller than its stride jumps over rows and columns
        return (math.ceil(flowing * min(1, height / stride) * min(1, width / stride)), *rest)
    return read


def _as_computed(node: XnnNode, tensor: XnnTensor) -> XnnTensor:
    """Return a tensor in the type that is read as the node computes.

    ExecuTorch stores the filters and biases of fp16 convolutions as float32 (`force_fp32` in its op_conv2d.py), and
    XNNPACK packs them as float16.
    """
    stored_wider = tensor.constant and tensor.datatype == "fp32" and node.inputs[0].datatype == "fp16"
    return replace(tensor, datatype="fp16") if stored_wider else tensor


def _bytes(tensor: XnnTensor) -> int | None:
    bits = _BITS.get(tensor.datatype)
    return None if bits is None else (tensor.elements * bits + 7) // 8


def call_recipe(tensors: Sequence[TensorSpec]) -> str:
    """Return the recipe of an operator outside XNNPACK by what it gives, "" where it is none's."""
    return _TENSOR_RECIPES.get(tensors[-1].dtype, "") if tensors else ""


def call_bytes(operator: str, tensors: Sequence[TensorSpec]) -> Moved | None:
    """Return what an operator outside XNNPACK moves at least, None where that is not known.

    `tensors` are those of its call, each once, what it gives last.
    """
    if operator.startswith(_RUNTIME):
        return Moved(0, 0) if operator.startswith(_VIEW) else None
    if not tensors or any(spec.dynamic for spec in tensors):
        return None
    *read, given = (spec.nbytes for spec in tensors)
    if operator.rpartition("::")[2].partition(".")[0] in _SELECTING:
        read = [min(size, given) for size in read]
    return Moved(sum(read), given)
