# SPDX-License-Identifier: Apache-2.0
"""8da8w and 8da4w: what is quantized how, what agrees, what is refused; and what the record says of SME2."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from support.export import export_here, run_command, write_model
from support.lowering import layers_of, lowered
from torch import nn

from model_profiling.errors import UserError
from model_profiling.export import lowering, quantization, verification
from model_profiling.export.matrix_layers import read_matrix_layers
from model_profiling.export.recipes import find_grouped, find_recipe, label_in

pytestmark = pytest.mark.slow

#: A language model's block in small: three layers share an input, one row is odd, a convolution comes before.
BLOCK = """
class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Conv1d(16, 64, 3, padding=1)
        self.query, self.key, self.value = nn.Linear(64, 64), nn.Linear(64, 64), nn.Linear(64, 64)
        self.out = nn.Linear(64, 32)
    def forward(self, x):
        x = self.embed(x).transpose(1, 2)
        mixed = torch.softmax(self.query(x) @ self.key(x).transpose(1, 2), -1) @ self.value(x)
        return self.out(mixed)

class Mine:
    def get_eager_model(self):
        torch.manual_seed(3)
        return Block().eval()
    def get_example_inputs(self):
        torch.manual_seed(4)
        return (torch.randn(1, 16, 8),)
"""
LINEAR_LAYERS = ("query", "key", "value", "out")


@pytest.fixture(scope="module")
def block(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("block"), BLOCK, "block.py")


@pytest.mark.parametrize(
    ("dtype", "group_size", "numbers", "kernel"),
    [
        ("8da8w", 0, "8da8w", "matmul_clamp_f32_qai8dxp1vlx4_qsi8cxp4vlx4_1vlx4vl_sme2_mopa"),
        ("8da4w", 0, "8da4w", "matmul_clamp_f32_qai8dxp1vlx8_qsi4cxp4vlx8_1vlx4vl_sme2_mopa"),
        ("8da4w", 32, "8da4w in groups", "matmul_clamp_f32_qai8dxp4x8_qsi4c32p4x8_16x4x32_neon_i8mm"),
    ],
)
def test_linear_layers_are_quantized_in_one_delegate_and_the_record_says_what_they_reach(
    block: Path, tmp_path: Path, dtype: str, group_size: int, numbers: str, kernel: str
) -> None:
    done = export_here(tmp_path, model_file=block, dtype=dtype, group_size=group_size)
    about = json.loads(done.paths.sidecar.read_text(encoding="utf-8"))
    assert done.paths.pte.name == f"block_xnnpack_{dtype}{'_g32' if group_size else ''}.pte"
    assert (about["dtype"], about["group_size"], about["delegation"]["delegates"]) == (dtype, group_size, 1)
    of = {layer["module"]: layer for layer in about["sme2"]["layers"] if layer["kind"] == "linear"}
    assert set(of) == set(LINEAR_LAYERS)
    assert {layer["numbers"] for layer in of.values()} == {numbers}
    assert {layer["kernel"] for layer in of.values()} == {f"kai_run_{kernel}"}
    assert {layer["reaches"] for layer in of.values()} == {"sme2" in kernel}
    assert about["sme2"]["matrix_layers"] == 7  # the convolution and attention's two products are float32 in each
    assert about["sme2"]["reaching_layers"] == (7 if "sme2" in kernel else 3)
    assert about["agreement"]["limit"] == find_recipe(dtype).limit.to_json()


def test_executorchs_own_recipe_for_4_bit_rows_lowers_to_groups() -> None:
    """The reason why 8da4w is made otherwise. Where this fails, ExecuTorch's recipe has become the one to take."""
    from executorch.backends.xnnpack.recipes.xnnpack_recipe_provider import XNNPACKRecipeProvider
    from executorch.backends.xnnpack.recipes.xnnpack_recipe_types import XNNPackRecipeType

    theirs = XNNPACKRecipeProvider().create_recipe(XNNPackRecipeType.TORCHAO_INT8_DYNAMIC_ACT_INT4_WEIGHT_PER_CHANNEL)
    config = theirs.quantization_recipe.ao_quantization_configs[0].ao_base_config
    recipe = replace(find_recipe("8da4w"), quantizer=None, weights=lambda: config)
    program = lowered(nn.Linear(64, 32), (torch.randn(8, 64),), recipe).exported_program()
    assert [layer.numbers for layer in read_matrix_layers(program)] == ["8da4w in groups"]


@pytest.mark.parametrize("length", [33, 34])
def test_rows_of_odd_length_stay_in_float32_in_8da4w(length: int) -> None:
    (layer,) = layers_of(nn.Linear(length, 16), (torch.randn(8, length),), "8da4w")
    assert layer.numbers == ("float32" if length % 2 else "8da4w")


def test_4_bit_rows_of_odd_length_are_wrong_in_executorch() -> None:
    """The reason why they stay in float32. Where this fails, they need not."""
    from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import XNNPACKQuantizer

    torch.manual_seed(0)
    module, inputs = nn.Linear(33, 16).eval(), (torch.randn(8, 33),)
    quantizer = find_recipe("8da4w").quantizer()
    assert isinstance(quantizer, XNNPACKQuantizer)
    quantizer.set_filter_function(lambda node: True)
    program = lowering.capture(module, inputs, {}, None)
    quantized = quantization.quantize(program, [inputs], {}, quantizer, dynamic=True)
    edge = lowering.lower({"forward": lowering.capture(quantized, inputs, {}, None)}, "xnnpack", find_recipe("8da4w"))
    produced = verification.run_program(lowering.serialize(edge).buffer, [inputs], {}, "running it")
    assert verification.compare([[quantized(*inputs).detach()]], produced).cosine < 0.5


# Refusals -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dtype", "group_size", "told"),
    [
        ("8da4w", 64, "groups of 64 weights do not divide the rows of 0, which are 96 long (and 1 other layer)"),
        ("8da4w", 48, "XNNPACK takes groups of 32 weights and multiples of it, not of 48"),
        ("8da4w", -32, "XNNPACK takes groups of 32 weights and multiples of it, not of -32"),
        ("8da8w", 32, "8da8w has no groups of weights, in --group-size: leave it out, or use --dtype 8da4w"),
        ("int8", 32, "int8 has no groups of weights, in --group-size: leave it out, or use --dtype 8da4w"),
    ],
)
def test_a_group_size_that_does_not_fit(tmp_path: Path, dtype: str, group_size: int, told: str) -> None:
    model = write_model(
        tmp_path,
        """
class Mine:
    def get_eager_model(self): return nn.Sequential(nn.Linear(96, 128), nn.Linear(128, 96), nn.Linear(96, 8)).eval()
    def get_example_inputs(self): return (torch.ones(2, 96),)
""",
    )
    with pytest.raises(UserError, match=re.escape(told)):
        export_here(tmp_path / "out", model_file=model, dtype=dtype, group_size=group_size)
    assert not (tmp_path / "out").exists()


def test_groups_have_no_portable_kernels(block: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="portable kernels do not know 8da4w in groups of weights, in --backend: use"):
        export_here(tmp_path / "out", model_file=block, dtype="8da4w", group_size=32, backend="portable")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("dtype", "group_size"), [("int8", 0), ("8da4w", 0), ("8da4w", 32)])
def test_a_recipe_that_finds_nothing_to_quantize(tmp_path: Path, dtype: str, group_size: int) -> None:
    model = write_model(
        tmp_path,
        """
class Mine:
    def get_eager_model(self): return nn.Softmax(-1)
    def get_example_inputs(self): return (torch.ones(2, 8),)
""",
    )
    with pytest.raises(
        UserError, match=f"{dtype} found nothing to quantize in mine: its program would be that of fp32"
    ):
        export_here(tmp_path / "out", model_file=model, dtype=dtype, group_size=group_size)
    assert not (tmp_path / "out").exists()


def test_the_command_says_it_in_one_line(tmp_path: Path) -> None:
    for given, told in (
        (("--dtype", "8da4w", "--group-size", "20"), "not of 20, in --group-size: use a multiple of 32"),
        (("--dtype", "fp32", "--group-size", "32"), "fp32 has no groups of weights, in --group-size"),
        (("--group-size", "many"), "argument --group-size: invalid int value: 'many'"),
    ):
        run = run_command("--model", "toy_cnn", *given, cwd=tmp_path)
        assert run.returncode == 2 and run.stderr.count("\n") == 1 and told in run.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("dtype", ["int8", "8da8w", "8da4w"])
def test_indices_that_are_computed_stay_whole(tmp_path: Path, dtype: str) -> None:
    """Quantizers make each number of an addition a fraction: of a language model, its positions and ids too."""
    model = write_model(
        tmp_path,
        """
class Positions(nn.Module):
    def __init__(self):
        super().__init__()
        self.table, self.linear = nn.Embedding(16, 32), nn.Linear(32, 32)
        self.register_buffer("marks", torch.linspace(-1, 1, 512).reshape(16, 32))
    def forward(self, x):
        computed = (x + 2, x * 1 + 2, 2 + x, torch.arange(4)[x] * 2)
        return self.linear(sum(self.table(one) + self.marks[one] + 0.5 for one in computed))

class Mine:
    def get_eager_model(self):
        torch.manual_seed(3)
        return Positions().eval()
    def get_example_inputs(self):
        return (torch.tensor([[0, 1, 3]]),)
""",
    )
    assert export_here(tmp_path / "out", model_file=model, dtype=dtype).sidecar["agreement"]["passed"]


def test_labels_name_the_group_size_and_are_found_at_the_end_of_a_name() -> None:
    assert find_grouped("8da4w", 64).label == "8da4w_g64" and find_grouped("8da4w", 0).label == "8da4w"
    assert label_in("my_model_xnnpack_8da4w_g64") == "8da4w_g64"
    assert label_in("my_model_xnnpack_int8") == "int8"
    assert label_in("my_int8_model") is None
