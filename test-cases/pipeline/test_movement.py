# SPDX-License-Identifier: Apache-2.0
"""What an operator moves at least: by the number types of its tensors, on nodes made up and on a real program."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from model_profiling.pipeline.program.instructions import read_instructions
from model_profiling.pipeline.program.layers import build_graph
from model_profiling.pipeline.program.movement import Moved, call_bytes, call_recipe, node_bytes, node_recipe
from model_profiling.pipeline.program.signature import TensorSpec
from model_profiling.pipeline.program.workload import Workload
from model_profiling.pipeline.program.xnnpack_graph import XnnNode, XnnTensor

#: Elements of 64 channels of 48x48.
IMAGE = 48 * 48 * 64
WIDE = 64 * 3 * 3 * 64 + 64  # weights and biases


def tensor(dims: Sequence[int], datatype: str = "fp32", number: int = 0, constant: bool = False) -> XnnTensor:
    return XnnTensor(tuple(dims), datatype, constant, number)


def node(kind: str, inputs: Sequence[XnnTensor], output: XnnTensor, kernel: Sequence[int] = ()) -> XnnNode:
    return XnnNode(0, kind, 0, tuple(inputs), output, tuple(kernel) or None, 0)


def linear(activation: str, weight: str, bias: str, output: str) -> XnnNode:
    """A product of 10 rows, 64 to 32."""
    inputs = (tensor((10, 64), activation, 1), tensor((32, 64), weight, 2, True), tensor((32,), bias, 3, True))
    return node("FullyConnected", inputs, tensor((10, 32), output, 4))


@pytest.mark.parametrize(
    ("types", "recipe", "moved"),
    [
        (("fp32", "fp32", "fp32", "fp32"), "fp32", Moved(4 * (640 + 2048 + 32), 4 * 320, 4 * 2080)),
        (("fp16", "fp16", "fp16", "fp16"), "fp16", Moved(2 * (640 + 2048 + 32), 2 * 320, 2 * 2080)),
        # As ExecuTorch stores a convolution's filters: float32 in the file, packed as float16.
        (("fp16", "fp32", "fp32", "fp16"), "fp16", Moved(2 * (640 + 2048 + 32), 2 * 320, 2 * 2080)),
        (("qint8", "qcint8", "qcint32", "qint8"), "int8", Moved(640 + 2048 + 4 * 32, 320, 2048 + 4 * 32)),
        (("qdint8", "qcint8", "fp32", "fp32"), "8da8w", Moved(640 + 2048 + 4 * 32, 4 * 320, 2048 + 4 * 32)),
        (("qdint8", "qbint4", "fp32", "fp32"), "8da4w", Moved(640 + 1024 + 4 * 32, 4 * 320, 1024 + 4 * 32)),
        (("bf16", "bf16", "bf16", "bf16"), "", Moved(2 * (640 + 2048 + 32), 2 * 320, 2 * 2080)),
        (("unknown", "fp32", "fp32", "fp32"), "", None),
    ],
)
def test_a_linear_layer_moves_its_tensors_in_their_own_types(
    types: tuple[str, str, str, str], recipe: str, moved: Moved | None
) -> None:
    assert (node_recipe(linear(*types)), node_bytes(linear(*types))) == (recipe, moved)


def test_what_an_operator_need_not_read_does_not_count() -> None:
    image = tensor((1, 8, 8, 16), number=1)
    weight, thin = tensor((16, 1, 1, 16), number=2, constant=True), tensor((1, 4, 4, 16), number=3)
    assert node_bytes(node("Conv2d", (image, weight), thin, (1, 1, 2, 1))) == Moved(
        4 * (1024 // 4 + 256), 4 * 256, 4 * 256
    )
    assert node_bytes(node("Conv2d", (image, weight), thin, (3, 3, 2, 1))) == Moved(4 * (1024 + 256), 4 * 256, 4 * 256)
    assert node_bytes(node("StaticSlice", (image,), thin)) == Moved(4 * 256, 4 * 256)
    assert node_bytes(node("StaticResizeBilinear2D", (image,), tensor((1, 2, 2, 16)))) == Moved(4 * 4 * 64, 4 * 64)
    assert node_bytes(node("Multiply", (image, image), replace(image, id=9))) == Moved(4096, 4096), (
        "a square reads once"
    )


def test_an_operator_outside_moves_the_tensors_of_its_call() -> None:
    table, ids, given = TensorSpec((1000, 64), "float32"), TensorSpec((5,), "int64"), TensorSpec((5, 64), "float32")
    assert call_bytes("aten::add.out", (given, given)) == Moved(1280, 1280)
    assert call_bytes("aten::embedding.out", (table, ids, given)) == Moved(1280 + 40, 1280), "five rows of a thousand"
    assert call_bytes("aten::mul.out", (given, replace(given, dynamic=True))) is None
    assert call_bytes("executorch_prim::et_view.default", (given, given)) == Moved(0, 0)
    assert call_bytes("executorch_prim::et_copy_index.tensor", (given, given)) is None
    assert call_bytes("aten::add.out", ()) is None
    half = TensorSpec((4,), "float16")
    assert [call_recipe(held) for held in ((table, half), (half, given), (ids,), ())] == ["fp16", "fp32", "", ""]


def test_layers_of_a_real_program_say_what_they_move(toy: Path) -> None:
    nodes = {n.module: n for i in build_graph(Workload(toy)) for n in i.nodes if n.module and n.multiply_adds}
    wide = nodes["wide"]  # 3x3 convolution, 64 to 64 channels, 48x48, with a bias
    assert (wide.recipe, wide.moved) == ("fp32", Moved(4 * (IMAGE + WIDE), 4 * IMAGE, 4 * WIDE))
    assert all(n.recipe == "fp32" for n in nodes.values())


@pytest.mark.slow
def test_operators_outside_of_a_real_program_have_their_tensors(shared_exports) -> None:
    program = shared_exports["toy_transformer", "int8"].pte
    outside = [i for i in read_instructions(program) if i.delegate is None]
    assert outside and all(i.tensors for i in outside if i.name.startswith("aten::"))


@pytest.mark.parametrize("dtype", ["fp32", "fp16", "int8"])
def test_every_matrix_layer_of_a_real_program_has_its_recipe(dtype: str, exported: Callable[[str, str], Path]) -> None:
    graph = build_graph(Workload(exported("toy_cnn", dtype)))
    nodes = [node for instruction in graph for node in instruction.nodes if node.multiply_adds]
    assert len(nodes) == 8 and {node.recipe for node in nodes} == {dtype}


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
