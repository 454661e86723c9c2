# SPDX-License-Identifier: Apache-2.0
"""Models that cannot be exported: one line says which module and line, what it means and what to do."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from support.export import export_here, write_model

from model_profiling.errors import KitError, MeasurementError, UserError
from model_profiling.export import failures

pytestmark = pytest.mark.slow

CLASS = """
class Mine:
    def get_eager_model(self): return nn.Sequential(nn.Linear(8, 8), Inner())
    def get_example_inputs(self): return (torch.linspace(0.1, 1, 16).reshape(2, 8),)
"""
# What the inner module does, at line 5 of the file; what the message must say of its meaning.
MODELS = {
    "if": ("if x.sum() > 0: return x\n        return -x", "Python code (if, while, assert, float()) depends"),
    "while": (
        "while x.abs().max() > 1: x = x / 2\n        return x",
        "Python code (if, while, assert, float()) depends",
    ),
    "assert": ("assert x.max() < 100\n        return x + 1.0", "Python code (if, while, assert, float()) depends"),
    "float": (
        "return x / float(x.sum()) if float(x.sum()) > 0 else x",
        "Python code (if, while, assert, float()) depends",
    ),
    "item as size": ("return x[:, :int(x.abs().sum().item()) % 4 + 1]", "a Python number or a size depends"),
    "size of a selection": ("return x[x > -9][:3] if x[x > -9].shape[0] > 3 else x", "the code branches on a size"),
    "numpy": ("import numpy\n        return torch.from_numpy(numpy.tanh(x.detach().numpy()))", "calls numpy"),
    "print": ("print(f'mean {x.mean():.3f}')\n        return x + 1.0", "formats or prints"),
    "operator without shapes": ("return torch.ops.kit_test.twice(x)", "no fake (shape-only) implementation"),
}
CUSTOM = """
library = torch.library.Library("kit_test", "FRAGMENT")
if not hasattr(torch.ops.kit_test, "twice"):
    library.define("twice(Tensor x) -> Tensor")
    library.impl("twice", lambda x: x * 2, "CPU")
"""


def refused(folder: Path, body: str, **request: object) -> str:
    with pytest.raises(UserError) as raised:
        export_here(folder / "out", model_file=write_model(folder, body), **request)
    assert "\n" not in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize("name", MODELS)
def test_capture_failures_name_the_line_the_meaning_and_a_fix(tmp_path: Path, name: str) -> None:
    statement, meaning = MODELS[name]
    body = f"class Inner(nn.Module):\n    def forward(self, x):\n        {statement}\n" + CLASS
    told = refused(tmp_path, body + (CUSTOM if "kit_test" in statement else ""))
    line = 6 if name == "numpy" else 5
    assert f"module 1 at {tmp_path.name}" in told or "module 1 at" in told
    assert f"mine.py:{line}" in told, told
    assert meaning in told, told
    fix = next(row.fix for row in failures.FAILURES if meaning in row.meaning)
    assert fix in told
    log = tmp_path / "out" / "mine_xnnpack_fp32.export.log"
    assert f"the whole trace is in {log}" in told and "Traceback" in log.read_text(encoding="utf-8")
    assert [file.name for file in log.parent.iterdir()] == [log.name]


#: What the fixes of the rows come to, each in the place of a statement above or of a model below.
FIXED = (
    "return torch.where(x.sum() > 0, x, -x)",
    "return torch.where(x.abs().max() > 1, x / 2, x)",
    "return x + 1.0",
    "return torch.where(x.sum() > 0, x / x.sum(), x)",
    "return x[:, :3].repeat(1, 3)[:, :8]",
    "return x.topk(8).values",
    "return torch.tanh(x)",
    "if not torch.compiler.is_compiling(): print(f'mean {x.mean():.3f}')\n        return x + 1.0",
    "return x * 2",
    "return x - torch.amax(x, -1, keepdim=True)",
    "return torch.where(x > 0.5, x, torch.zeros_like(x))",
    "return torch.fft.rfft(x).abs().repeat(1, 2)[:, :8]",  # in fp32
    "return torch.nn.functional.conv2d(x.reshape(2, 2, 2, 2), torch.ones(2, 2, 1, 1)).reshape(2, 8)",
    "return x, self.weight + 0",
)


def test_fixes_export(tmp_path: Path) -> None:
    """One model of every fixed statement, one after the other."""
    modules = "".join(
        f"class Fixed{number}(nn.Module):\n"
        "    def __init__(self):\n        super().__init__()\n        self.weight = nn.Parameter(torch.ones(3))\n"
        f"    def forward(self, x):\n        {statement}\n"
        for number, statement in enumerate(FIXED)
    )
    chain = ", ".join(f"Fixed{number}()" for number in range(len(FIXED)))
    body = modules + CLASS.replace("nn.Sequential(nn.Linear(8, 8), Inner())", f"nn.Sequential({chain})")
    result = export_here(tmp_path / "out", model_file=write_model(tmp_path, body))
    assert result.sidecar["agreement"]["passed"]


def test_printing_a_tensor_alone_is_no_failure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    export_here(
        tmp_path / "out",
        model_file=write_model(
            tmp_path,
            "class Inner(nn.Module):\n    def forward(self, x):\n        print('x', x)\n        return x + 1.0\n"
            + CLASS,
        ),
    )
    assert (tmp_path / "out" / "mine_xnnpack_fp32.pte").is_file()


@pytest.mark.parametrize("statement", ["x += 1.0", "x[:, 0] = 0.0"])
def test_writing_into_the_input_is_exported_and_told(tmp_path: Path, statement: str) -> None:
    """Calibration and the agreement check must not see what an earlier execution wrote."""
    body = (
        f"class Inner(nn.Module):\n    def forward(self, x):\n        {statement}\n        return x * 2.0\n"
        + CLASS.replace("nn.Sequential(nn.Linear(8, 8), Inner())", "Inner()")
    )
    result = export_here(tmp_path / "out", model_file=write_model(tmp_path, body))
    copied = next(entry for entry in result.delegation.not_delegated if entry.operator.startswith("aten.copy_"))
    assert "input back in every execution" in copied.hint and "mine.py:5" in copied.source
    assert result.sidecar["inputs"][0]["low"] == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("statement", "operator"),
    [("return x + torch.rand_like(x)", "aten::rand"), ("return torch.unique(x)", "aten::_unique2")],
)
def test_operator_without_a_kernel_is_named(tmp_path: Path, statement: str, operator: str) -> None:
    told = refused(tmp_path, f"class Inner(nn.Module):\n    def forward(self, x):\n        {statement}\n" + CLASS)
    assert f"no kernel for {operator}" in told and "module 1 at" in told and "mine.py:5" in told


def test_custom_operator_with_shapes_but_no_kernel(tmp_path: Path) -> None:
    body = (
        """
@torch.library.custom_op("kit_test::thrice", mutates_args=())
def thrice(x: torch.Tensor) -> torch.Tensor: return x * 3
@thrice.register_fake
def _(x): return torch.empty_like(x)
class Inner(nn.Module):
    def forward(self, x):
        return torch.ops.kit_test.thrice(x)
"""
        + CLASS
    )
    assert "no kernel for kit_test::thrice" in (told := refused(tmp_path, body)) and "mine.py:10" in told


def test_lowering_failure_on_values_of_max(tmp_path: Path) -> None:
    body = """
class Inner(nn.Module):
    def forward(self, x):
        return x - x.max(-1, keepdim=True).values
class Mine:
    def get_eager_model(self): return nn.Sequential(nn.Conv2d(3, 4, 1), Inner())
    def get_example_inputs(self): return (torch.rand(1, 3, 8, 8),)
"""
    told = refused(tmp_path, body)
    assert "partitioner fails on max" in told and "torch.amax" in told
    export_here(
        tmp_path / "fixed",
        model_file=write_model(
            tmp_path, body.replace("x.max(-1, keepdim=True).values", "torch.amax(x, -1, keepdim=True)")
        ),
    )


@pytest.mark.parametrize(
    ("made", "meaning"),
    [
        ("torch.jit.script(nn.Linear(8, 8))", "the model is TorchScript"),
        (
            "torch.ao.quantization.quantize_dynamic(nn.Sequential(nn.Linear(8, 8)), {nn.Linear})",
            "quantized in eager mode",
        ),
    ],
)
def test_what_another_tool_made_of_a_model(tmp_path: Path, made: str, meaning: str) -> None:
    assert meaning in refused(tmp_path, CLASS.replace("nn.Sequential(nn.Linear(8, 8), Inner())", made))


def test_operator_that_has_no_form_for_half_precision(tmp_path: Path) -> None:
    body = "class Inner(nn.Module):\n    def forward(self, x):\n        return torch.fft.rfft(x).abs()\n" + CLASS
    told = refused(tmp_path, body, dtype="fp16")
    assert "an operator there has no form for this type" in told and "mine.py:5" in told


def test_nonzero(tmp_path: Path) -> None:
    body = "class Inner(nn.Module):\n    def forward(self, x):\n        return (x > 0.5).nonzero().float()\n" + CLASS
    assert "depends on another's values" in (told := refused(tmp_path, body)) and "mine.py:5" in told


def test_dynamic_shapes_that_do_not_fit(tmp_path: Path) -> None:
    body = (
        CLASS.replace("Inner()", "nn.ReLU()")
        + "    def get_dynamic_shapes(self): return {'nope': {0: torch.export.Dim('n')}}\n"
    )
    assert "get_dynamic_shapes()" in refused(tmp_path, body)


def test_shapes_that_do_not_fit_name_the_layer(tmp_path: Path) -> None:
    told = refused(tmp_path, CLASS.replace("Inner()", "nn.Linear(5, 4)"))
    assert "module 1" in told and "2x8 and 5x4" in told and "running mine on its example inputs failed" in told


def test_shapes_that_fit_for_some_inputs_only(tmp_path: Path) -> None:
    """The calibration inputs have another size than the example's, which only the int8 export runs with."""
    body = (
        CLASS.replace("Inner()", "nn.ReLU()") + "    def get_calibration_inputs(self): return [(torch.ones(2, 9),)]\n"
    )
    told = refused(tmp_path, body, dtype="int8")
    assert "mat1 and mat2 shapes cannot be multiplied" in told


@pytest.mark.parametrize(
    ("inputs", "told"),
    [
        ("(torch.ones(2, 9),)", "mat1 and mat2 shapes cannot be multiplied"),
        ("(torch.ones(2, 8, dtype=torch.int64),)", "must have the same dtype"),
        ("(torch.ones(2, 8), torch.ones(1))", "positional argument"),
        ("(object(),)", "holds a object instead of a tensor"),
        ("({'image': torch.ones(2, 8)},)", ""),
    ],
)
def test_inputs_of_another_kind_than_the_model_takes(tmp_path: Path, inputs: str, told: str) -> None:
    body = CLASS.replace("nn.Sequential(nn.Linear(8, 8), Inner())", "nn.Linear(8, 8)").replace(
        "(torch.linspace(0.1, 1, 16).reshape(2, 8),)", inputs
    )
    assert told in refused(tmp_path, body)
    assert not (tmp_path / "out").exists()


def test_known_wrong_softmax_is_named_when_outputs_differ(tmp_path: Path) -> None:
    """XNNPACK's softmax of a 4-D tensor after a convolution: the export refuses it and says which line."""
    body = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1)
    def forward(self, x):
        return self.conv(x).softmax(-1)
class Mine:
    def get_eager_model(self):
        torch.manual_seed(0)
        return Net()
    def get_example_inputs(self): return (torch.rand(1, 3, 16, 16) * 9,)
"""
    with pytest.raises(MeasurementError) as raised:
        export_here(tmp_path / "out", model_file=write_model(tmp_path, body))
    assert "softmax of a 4-D tensor after a convolution is wrong" in str(raised.value) and "mine.py:9" in str(
        raised.value
    )
    fixed = body.replace(
        "self.conv(x).softmax(-1)", "self.conv(x).reshape(8, 16, 16).softmax(-1).reshape(1, 8, 16, 16)"
    )
    assert export_here(tmp_path / "fixed", model_file=write_model(tmp_path, fixed)).delegation.portable_operators == 0


#: The first words of the rows that the tests above do not quote whole.
OTHERS = (
    "an input is a Python object",
    "get_dynamic_shapes()",
    "XNNPACK's partitioner fails on max",
    "the model returns one of its weights",  # test_model_cases.py
    "the shape of a tensor depends",
    "the shapes of the model do not fit",
    "whose activations are quantized while the model runs",  # test_transformers.py, at night
    "the model is TorchScript",
    "the model was quantized in eager mode",
    "an operator there has no form for this type",
)


def test_every_row_is_tried() -> None:
    tried = (*(meaning for _, meaning in MODELS.values()), *OTHERS)
    assert [row.meaning for row in failures.FAILURES if not any(part in row.meaning for part in tried)] == []


def test_object_input_is_explained() -> None:
    """The kit refuses objects before torch.export sees them; a dict of them in a tuple is torch.export's to refuse."""
    told = failures.explain_capture(
        ValueError("Unsupported input type <class 'Batch'>. Export only supports ..."), None
    )
    assert "a Python object" in told.meaning


def test_errors_stay_short() -> None:
    assert issubclass(UserError, KitError)
    assert max(len(row.meaning) + len(row.fix) for row in failures.FAILURES) < 220


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
