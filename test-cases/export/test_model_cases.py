# SPDX-License-Identifier: Apache-2.0
"""Small models after public reports (`fixtures/cases/`): what an export makes of them, exactly, or says of them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from support.export import export_here

from model_profiling.errors import KitError, UserError
from model_profiling.export.export_job import ExportResult

pytestmark = pytest.mark.slow

CASES = Path(__file__).resolve().parents[1] / "fixtures" / "cases"
ONE_INPUT = (
    "calibrated on one input alone, so its ranges and its agreement say little of others: add get_calibration_inputs()"
)


def export(outdir: Path, file: str, name: str, dtype: str = "fp32", **request: object) -> ExportResult:
    return export_here(outdir, model=name, model_file=CASES / f"{file}.py", dtype=dtype, **request)


def error(result: ExportResult) -> float:
    return float(result.sidecar["agreement"]["max_rel_error"])


def outputs(result: ExportResult) -> list[list[int]]:
    return [given["shape"] for given in result.sidecar["outputs"]]


# In which order values lie in memory ---------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["fp32", "int8"])
@pytest.mark.parametrize("name", ["ChannelsLastInput", "ChannelsLastExampleAlone"])
def test_program_is_run_in_its_own_order_of_memory(tmp_path: Path, name: str, dtype: str) -> None:
    """Fed row by row it was off by 0.067: refused in fp32, and passed in int8, whose limit is 0.5."""
    assert error(export(tmp_path, "memory_orders", name, dtype)) < {"fp32": 1e-5, "int8": 0.005}[dtype]


@pytest.mark.parametrize("dtype", ["fp32", "int8"])
def test_model_that_is_channels_last_is_lowered(tmp_path: Path, dtype: str) -> None:
    result = export(tmp_path, "memory_orders", "ChannelsLastModel", dtype)
    assert (result.delegation.delegates, result.delegation.portable_operators) == (1, 0)
    assert error(result) < {"fp32": 1e-5, "int8": 0.02}[dtype]


@pytest.mark.parametrize("name", ["TransposedInput", "TransposedBuffer", "RepeatedInput", "SlicedInput"])
def test_other_orders_become_row_by_row(tmp_path: Path, name: str) -> None:
    result = export(tmp_path, "memory_orders", name)
    assert error(result) == 0 and outputs(result) == [[4, 8]]


# What an export changes is said --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "dtype", "notes"),
    [
        ("Half", "fp16", ["the model's weights and inputs are bfloat16: taken as float32 before anything else"]),
        ("Double", "fp32", ["the model's weights and inputs are float64: taken as float32 before anything else"]),
        ("Float", "fp16", []),
        ("Float", "int8", [ONE_INPUT]),
        (
            "Training",
            "int8",
            ["the model is in training mode (BatchNorm1d 1 and 1 other layer): exported as after model.eval()"],
        ),
    ],
)
def test_what_an_export_changes_is_noted(tmp_path: Path, name: str, dtype: str, notes: list[str]) -> None:
    assert export(tmp_path, "silent_changes", name, dtype).sidecar["notes"] == notes


@pytest.mark.parametrize("dtype", ["fp32", "int8"])
def test_state_is_told(tmp_path: Path, dtype: str) -> None:
    notes = export(tmp_path, "states", "CountingCache", dtype).sidecar["notes"]
    assert "the model keeps state from one execution to the next (cache, pos): every launch starts it anew" in notes


@pytest.mark.parametrize("name", ["CountsFromThree", "CountsFromThreeAgain"])
def test_state_begins_where_the_model_begins(tmp_path: Path, name: str) -> None:
    """ExecuTorch stores the values of a state only where a pass asks for it; else every state is zero at first."""
    assert error(export(tmp_path, "states", name)) == 0


def test_input_that_is_written_is_compared_without_it(tmp_path: Path) -> None:
    result = export(tmp_path, "states", "WritesItsInput", "int8")
    assert error(result) < 0.02 and outputs(result) == [[1, 8, 16], [1, 16]]


# Results -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "shapes", "left_out"),
    [
        ("DictWithNone", [[3, 4], [3, 4]], "NoneType"),
        ("NamedTuple", [[3, 4], [3, 4]], ""),
        ("Dataclass", [[3, 8], [3, 8]], "NoneType"),
        ("TopK", [[3, 3], [3, 3]], ""),
        ("WithANumber", [[3, 8]], "int"),
        ("Twice", [[3, 8], [3, 8], [3, 8]], ""),
        ("Identity", [[1, 4]], ""),
    ],
)
def test_results_of_any_form(tmp_path: Path, name: str, shapes: list[list[int]], left_out: str) -> None:
    result = export(tmp_path, "results", name)
    assert outputs(result) == shapes and error(result) < 1e-5
    told = [f"results that are no tensors are left out of the program: {left_out}"] if left_out else []
    assert result.sidecar["notes"] == told


def test_result_without_a_tensor(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="the model returns no tensor"):
        export(tmp_path, "results", "NothingButNone")


# Arguments -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["fp32", "int8"])
def test_numbers_among_the_inputs_are_fixed(tmp_path: Path, dtype: str) -> None:
    result = export(tmp_path, "arguments", "Numbers", dtype)
    assert [given["shape"] for given in result.sidecar["inputs"]] == [[2, 16]]
    told = "inputs that are no tensors are fixed in the program: strength=0.5, times=2, flip=True"
    assert told in result.sidecar["notes"] and error(result) < {"fp32": 1e-5, "int8": 0.05}[dtype]


def test_tensor_after_numbers_with_a_shape_that_varies(tmp_path: Path) -> None:
    result = export(tmp_path, "arguments", "NumbersBetween")
    assert [given["shape"] for given in result.sidecar["inputs"]] == [[2, 16], [16]] and error(result) < 1e-5


def test_number_that_differs_between_samples_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="differs from the example inputs in dtype, rank or a number"):
        export(tmp_path, "arguments", "NumbersThatChange")


@pytest.mark.parametrize("dtype", ["fp32", "int8"])
def test_inputs_by_name_are_in_the_order_of_forward(tmp_path: Path, dtype: str) -> None:
    result = export(tmp_path, "arguments", "NamedInAnotherOrder", dtype)
    assert [given["low"] for given in result.sidecar["inputs"][1:]] == [2.0, 3.0]  # scale, shift
    assert error(result) < {"fp32": 1e-5, "int8": 0.05}[dtype]


@pytest.mark.parametrize("dtype", ["fp32", "int8"])
@pytest.mark.parametrize(("name", "shapes"), [("NoInputs", []), ("EmptyInput", [[1, 0, 8], [1, 4, 8]])])
def test_no_input_and_an_empty_one(tmp_path: Path, name: str, shapes: list[list[int]], dtype: str) -> None:
    result = export(tmp_path, "arguments", name, dtype)
    assert [given["shape"] for given in result.sidecar["inputs"]] == shapes
    assert error(result) < {"fp32": 1e-5, "int8": 0.05}[dtype]


# What libraries stop at ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "name", "told"),
    [
        ("results", "Passthrough", ("the model returns one of its weights as it is", "return weight + 0")),
        ("refused_by_libraries", "Video", ("the runtime says: Expect input tensor to be 3-D or 4-D, but got, 5.",)),
        ("refused_by_libraries", "Video", ("no kernel for 3-D convolution", "use Conv2d")),
    ],
)
def test_refusals_name_the_cause_and_the_way_on(tmp_path: Path, file: str, name: str, told: tuple[str, str]) -> None:
    with pytest.raises(KitError) as raised:
        export(tmp_path, file, name)
    assert all(part in str(raised.value) for part in told), str(raised.value)


@pytest.mark.parametrize("returned", ["y + 0.0", "torch.relu(y)"])
def test_a_result_of_another_shape_is_mended_as_it_is_said(tmp_path: Path, returned: str) -> None:
    body = (CASES / "public" / "aspp_unet.py").read_text(encoding="utf-8")
    mended = tmp_path / "mended.py"
    mended.write_text(body.replace('"aux": y}', f'"aux": {returned}}}'), encoding="utf-8")
    assert export_here(tmp_path, model_file=mended, dtype="int8").sidecar["agreement"]["passed"]


def test_branches_are_lowered_and_run(tmp_path: Path) -> None:
    """In int8 quantizing does not reach into branches, and so finds nothing in this model."""
    dtype = "fp32"
    (tmp_path / "Cond_xnnpack_fp32.etrecord").write_bytes(b"of an earlier export")
    result = export(tmp_path, "refused_by_libraries", "Cond", dtype)
    assert error(result) < 1e-5
    assert any(note.startswith("written without an .etrecord") for note in result.sidecar["notes"])
    assert not (tmp_path / f"Cond_xnnpack_{dtype}.etrecord").exists()
    reasons = {one.operator: one.reason for one in result.delegation.not_delegated}
    assert reasons["cond"] == "a branch or a loop, which the runtime itself runs"
    assert reasons["aten.addmm.default"].startswith("inside of a branch or a loop")
    assert not any("<" in one.source for one in result.delegation.not_delegated)


def test_weights_that_torchao_quantized_are_no_crash(tmp_path: Path) -> None:
    assert error(export(tmp_path, "refused_by_libraries", "ByTorchao", "fp16")) < 0.02


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
