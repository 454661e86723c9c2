# SPDX-License-Identifier: Apache-2.0
"""Which layers of a model can reach SME2: how they are found, counted and told."""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from pathlib import Path

import pytest
import torch
from support.export import export_here, write_model
from support.lowering import layers_of, lowered
from torch import nn

from model_profiling.errors import UserError
from model_profiling.export import lowering
from model_profiling.export.matrix_layers import ExportedLayer, read_matrix_layers
from model_profiling.export.recipes import find_recipe
from model_profiling.export.sme2_reach import Reach, ReachTable, reach_of
from model_profiling.export.summary import print_reach
from model_profiling.pipeline.program.layers import build_graph
from model_profiling.pipeline.program.workload import Workload

pytestmark = pytest.mark.slow


class EveryKind(nn.Module):
    """Matrix products in the forms that models write them in."""

    def __init__(self) -> None:
        super().__init__()
        self.strided = nn.Conv2d(8, 16, 1, stride=2)
        self.pointwise = nn.Conv2d(16, 16, 1)
        self.wide = nn.Conv2d(16, 16, 5, padding=2)
        self.depthwise = nn.Conv2d(16, 16, 3, padding=1, groups=16)
        self.grouped = nn.Conv2d(16, 16, 3, padding=1, groups=2)
        self.larger = nn.ConvTranspose2d(16, 4, 2, stride=2)
        self.weight = nn.Parameter(torch.randn(64, 6))

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        image = self.grouped(self.depthwise(self.wide(self.pointwise(self.strided(image)))))
        rows = self.larger(image).flatten(2)
        return rows @ self.weight, rows @ rows.transpose(1, 2)


def test_kinds_and_rows_are_those_that_xnnpack_sees(tmp_path: Path) -> None:
    inputs = (torch.randn(2, 8, 8, 8),)
    edge = lowered(EveryKind().eval(), inputs, find_recipe("fp32"))
    found = [(layer.kind, layer.rows) for layer in read_matrix_layers(edge.exported_program())]
    assert found == [
        ("conv 3x3", 32),  # 1x1 with a stride runs as the others do
        ("conv 1x1", 32),
        ("conv 3x3", 32),
        ("depthwise conv 3x3", 32),
        ("grouped conv 3x3", 32),
        ("transposed conv 2x2", 32),
        ("linear", 8),
        ("batch matmul", 4),
    ]
    pte = tmp_path / "every.pte"
    pte.write_bytes(lowering.serialize(edge).buffer)
    nodes = [node for instruction in build_graph(Workload(pte)) for node in instruction.nodes if node.is_matrix]
    assert [node.kind for node in nodes] == [
        *("Conv2d", "Conv2d", "Conv2d", "DepthwiseConv2d", "Conv2d", "ConvTranspose2d"),
        *("FullyConnected", "BatchMatrixMultiply"),
    ]
    assert sum(node.multiply_adds for node in nodes) == sum(
        layer.multiply_adds for layer in read_matrix_layers(edge.exported_program())
    )


class Sums(nn.Module):
    """In int8 both factors of the product come from a quantized sum: the product itself stays in float32."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(8, 8)

    def forward(self, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        return self.head(left + left) @ (right + right)


def test_a_product_of_quantized_activations_is_no_quantized_layer(tmp_path: Path) -> None:
    inputs = (torch.randn(2, 4, 8), torch.randn(2, 8, 4))
    found = layers_of(Sums().eval(), inputs, "int8")
    assert [(layer.kind, layer.numbers) for layer in found] == [("linear", "int8"), ("batch matmul", "float32")]


def test_layers_outside_xnnpack_reach_nothing(tmp_path: Path) -> None:
    model = write_model(
        tmp_path,
        """
class Mine:
    def get_eager_model(self): return nn.Linear(64, 64).eval()
    def get_example_inputs(self): return (torch.randn(5, 64),)
""",
    )
    (one,) = export_here(tmp_path / "out", model_file=model, dtype="8da4w", backend="portable").reach.layers
    assert (one.layer.kind, one.layer.delegated, one.reaches) == ("linear", False, False)


def test_dynamic_rows_count_at_the_example(tmp_path: Path) -> None:
    model = write_model(
        tmp_path,
        """
class Mine:
    def get_eager_model(self): return nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 8)).eval()
    def get_example_inputs(self): return (torch.randn(5, 64),)
    def get_dynamic_shapes(self): return ({0: torch.export.Dim("rows", min=1, max=32)},)
""",
    )
    done = export_here(tmp_path / "out", model_file=model, dtype="8da4w")
    assert [(one.layer.numbers, one.layer.rows, one.reaches) for one in done.reach.layers] == [("8da4w", 5, True)] * 2


def layer(module: str, kind: str, numbers: str, rows: int, delegated: bool = True) -> ExportedLayer:
    return ExportedLayer(module, "model.py:1", kind, numbers, rows, 1000, delegated)


def said_of(reach: Reach) -> list[str]:
    with redirect_stdout(io.StringIO()) as out:
        print_reach(reach)
    return out.getvalue().splitlines()


def test_what_reaches_and_what_does_not_is_said_once_for_layers_alike() -> None:
    release = ReachTable.read().executorch
    layers = [layer(f"blocks.{number}.up", "linear", "8da4w", 100 * (number + 1)) for number in range(6)]
    layers += [layer("head", "linear", "8da4w in groups", 1), layer("old", "linear", "float32", 1, delegated=False)]
    layers += [layer("odd", "linear", "bfloat16", 1)]
    assert said_of(reach_of(layers, f"{release}+cpu")) == [
        "",
        "SME2: 6 of 9 matrix layers, 67 % of multiply-adds, can reach its kernels, as recorded for ExecuTorch 1.5.1",
        "  yes     6 x linear, 8da4w, 100 to 600 rows: matmul_clamp_f32_qai8dxp1vlx8_qsi4cxp4vlx8_1vlx4vl_sme2_mopa",
        "      module  blocks.0.up, blocks.1.up, blocks.2.up and 3 more",
        "  no      1 x linear, 8da4w in groups, 1 row",
        "      module  head",
        "  no      1 x linear, float32, 1 row: outside XNNPACK",
        "      module  old",
        "  unknown 1 x linear, bfloat16, 1 row",
        "      module  odd",
    ]


def test_of_another_executorch_nothing_is_known() -> None:
    reach = reach_of([layer("head", "linear", "float32", 1)], "9.0.0")
    assert said_of(reach)[1:] == [
        "SME2: nothing is recorded for ExecuTorch 9.0.0, only for 1.5.1: preview_sme2.py records what this model "
        "reaches"
    ]
    assert reach.to_json()["reaching_layers"] is None and reach.layers[0].reaches is None


def test_a_model_without_matrix_layers_gets_no_word_of_it() -> None:
    assert said_of(reach_of([], "1.5.1")) == []


@pytest.mark.parametrize("damage", ["{", '{"schema_version": 9}', '{"schema_version": 1, "executorch": 3}'])
def test_a_damaged_table_names_the_command_that_makes_it(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "sme2_reach.json"
    path.write_text(damage, encoding="utf-8")
    with pytest.raises(UserError, match=r"run tools/make_sme2_reach\.py|not JSON"):
        ReachTable.read(path)
