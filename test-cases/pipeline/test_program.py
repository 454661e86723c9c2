# SPDX-License-Identifier: Apache-2.0
"""Reading a .pte's signature without torch, from sound and from damaged files, and the inputs made for it."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.kit import REPOSITORY

from model_profiling.errors import UserError
from model_profiling.pipeline.program.inputs import make_inputs, splitmix64, splitmix64_uniform, write_inputs
from model_profiling.pipeline.program.records import read_sidecar
from model_profiling.pipeline.program.signature import ITEM_BYTES, Signature, TensorSpec, read_signature

SLOWEST_READ_S = 2.0  # any file of this size is read in milliseconds; this is for a busy machine


def signature_of(*inputs: TensorSpec) -> Signature:
    return Signature("forward", inputs, (), ())


# ---------------------------------------------------------------- signatures


@pytest.mark.parametrize("model, dtype", [("toy_cnn", "fp32"), ("toy_cnn", "fp16")])
def test_the_signature_is_what_the_export_says(exported, model: str, dtype: str) -> None:
    path = exported(model, dtype)
    sidecar, signature = read_sidecar(path), read_signature(path)
    for kind, specs in (("inputs", signature.inputs), ("outputs", signature.outputs)):
        assert [(list(s.shape), s.dtype) for s in specs] == [(e["shape"], e["dtype"]) for e in sidecar[kind]]
    assert signature.method == "forward" and signature.backends == ("XnnpackBackend",)


def test_the_runtime_agrees_with_the_signature(toy: Path) -> None:
    code = (
        "import sys, torch; from executorch.extension.pybindings import _C\n"
        "m = _C._load_program(sys.argv[1]).method_meta('forward')\n"
        "print([tuple(m.input_tensor_meta(i).sizes()) for i in range(m.num_inputs())],"
        " [tuple(m.output_tensor_meta(i).sizes()) for i in range(m.num_outputs())])"
    )
    told = subprocess.run([sys.executable, "-c", code, str(toy)], capture_output=True, text=True, check=True, cwd="/")
    signature = read_signature(toy)
    assert told.stdout.strip() == f"{[s.shape for s in signature.inputs]} {[s.shape for s in signature.outputs]}"


def test_torch_is_not_imported(toy: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from model_profiling.pipeline.program.signature import read_signature\n"
        "read_signature(Path(sys.argv[1])); print('torch' in sys.modules)"
    )
    told = subprocess.run(
        [sys.executable, "-c", code, str(toy)], capture_output=True, text=True, check=True, cwd=REPOSITORY
    )
    assert told.stdout == "False\n"


# ---------------------------------------------------------------- damaged files


def outcome(path: Path) -> Signature | str:
    """Read `path`; return its signature or the error's line. Anything else fails the test."""
    started = time.monotonic()
    try:
        result = read_signature(path)
    except UserError as error:
        result = str(error)
        assert "\n" not in result and str(path) in result
    assert time.monotonic() - started < SLOWEST_READ_S
    return result


@pytest.mark.parametrize(
    "content, told",
    [
        (b"", "is empty"),
        (b"ET12", "damaged"),
        (b"\0\0\0\0ET12", "damaged"),
        (b"\xff\xff\xff\xffET12", "damaged"),
        (b"\x08\0\0\0ET12" + b"\xff" * 100, "damaged"),
        (b"\x08\0\0\0ET12eh00" + b"\xff" * 100, "damaged"),
        (b"%PDF-1.7 and so on", "damaged"),
    ],
)
def test_what_is_no_program_is_refused(content: bytes, told: str, tmp_path: Path) -> None:
    path = tmp_path / "x.pte"
    path.write_bytes(content)
    assert told in outcome(path)


def test_missing_files_and_folders_are_refused(tmp_path: Path) -> None:
    assert "does not exist" in outcome(tmp_path / "none.pte")
    assert "is a folder" in outcome(tmp_path)
    assert "cannot be read" in outcome(Path(__file__) / "below_a_file.pte")


def test_every_truncation_is_noticed(toy: Path, tmp_path: Path) -> None:
    whole, path = toy.read_bytes(), tmp_path / "cut.pte"
    lengths = sorted({*range(0, 200), *np.linspace(0, len(whole) - 1, 400).astype(int)})
    for length in lengths:
        path.write_bytes(whole[:length])
        assert isinstance(outcome(path), str), f"cut at {length} of {len(whole)}"


def test_mutations_end_in_an_error_or_a_signature(toy: Path, tmp_path: Path) -> None:
    whole, path, random = toy.read_bytes(), tmp_path / "mutated.pte", np.random.default_rng(20)
    head = int.from_bytes(whole[16:24], "little")  # the program without its segments
    values = [0, 1, 0x7F, 0x80, 0xFE, 0xFF]
    for _ in range(3000):
        data = bytearray(whole)
        for at in random.integers(0, head, random.integers(1, 6)):
            data[at] = random.choice(values) if random.random() < 0.7 else random.integers(256)
        path.write_bytes(data)
        outcome(path)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tail=st.binary(max_size=300))
def test_any_bytes_behind_a_right_beginning(tail: bytes, tmp_path: Path) -> None:
    path = tmp_path / "any.pte"
    path.write_bytes(b"\x08\0\0\0ET12" + tail)
    outcome(path)


# ---------------------------------------------------------------- inputs


def reference_splitmix64(seed: int, count: int) -> list[int]:
    """The generator as its authors wrote it, one draw after the other."""
    mask, state, draws = 2**64 - 1, seed, []
    for _ in range(count):
        state = (state + 0x9E3779B97F4A7C15) & mask
        z = state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        draws.append(z ^ (z >> 31))
    return draws


def test_splitmix64_gives_the_published_values() -> None:
    """First draws of seed 1234567, as test suites of several languages list them."""
    assert splitmix64(1234567, 3).tolist() == [6457827717110365317, 3203168211198807973, 9817491932198370423]


@given(seed=st.integers(0, 2**64 - 1), count=st.integers(0, 50), start=st.integers(0, 50))
def test_splitmix64_is_its_reference_from_any_start(seed: int, count: int, start: int) -> None:
    assert splitmix64(seed, count, start).tolist() == reference_splitmix64(seed, start + count)[start:]


@given(seed=st.integers(0, 2**64 - 1), bits=st.sampled_from([8, 11, 24, 53]))
def test_uniform_draws_stay_below_one(seed: int, bits: int) -> None:
    draws = splitmix64_uniform(seed, 100, bits=bits)
    assert draws.min() >= 0 and draws.max() < 1
    assert np.array_equal(draws * 2**bits, np.floor(draws * 2**bits))


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
def test_draws_are_exact_in_their_type(dtype: str) -> None:
    bits = {"float64": 53, "float32": 24, "float16": 11}[dtype]
    (array,) = make_inputs(signature_of(TensorSpec((1000,), dtype)), None, 9)
    assert np.array_equal(array.astype(np.float64), splitmix64_uniform(9, 1000, bits=bits))


@given(data=st.data())
@settings(deadline=None)
def test_inputs_fit_their_specs(data: st.DataObject) -> None:
    shapes = st.lists(st.integers(0, 5), max_size=4).map(tuple)
    specs = data.draw(st.lists(st.builds(TensorSpec, shapes, st.sampled_from(sorted(ITEM_BYTES))), max_size=4))
    arrays = make_inputs(signature_of(*specs), None, data.draw(st.integers(0, 2**64 - 1)))
    assert [a.shape for a in arrays] == [s.shape for s in specs]
    assert [len(a.tobytes()) for a in arrays] == [s.nbytes for s in specs]


def test_inputs_differ_from_one_another_and_by_seed() -> None:
    spec = TensorSpec((8, 8), "float32")
    first, second = make_inputs(signature_of(spec, spec), None, 1)
    assert not np.array_equal(first, second)
    assert np.array_equal(first, make_inputs(signature_of(spec), None, 1)[0])
    assert not np.array_equal(first, make_inputs(signature_of(spec), None, 2)[0])


@given(low=st.integers(-100, 100), width=st.integers(0, 1000), dtype=st.sampled_from(["int64", "int32", "float32"]))
def test_the_sidecars_ranges_are_kept(low: int, width: int, dtype: str) -> None:
    spec = TensorSpec((200,), dtype)
    sidecar = {"inputs": [{"shape": [200], "dtype": dtype, "low": low, "high": low + width}]}
    (array,) = make_inputs(signature_of(spec), sidecar, 4)
    assert array.min() >= low and array.max() <= low + width
    if dtype != "float32" and width == 1:
        assert set(array.tolist()) == {low, low + 1}, "the upper end is drawn too"


@pytest.mark.parametrize(
    "sidecar",
    [
        {},
        {"inputs": None},
        {"inputs": [{}]},
        {"inputs": [{"shape": [2], "dtype": "float32"}]},
        {"inputs": []},
        {"inputs": [{"shape": [3], "dtype": "float32", "low": 0, "high": 1}]},
        {"inputs": [{"shape": [2], "dtype": "int64", "low": 0, "high": 1}]},
    ],
)
def test_a_sidecar_of_another_model_is_refused(sidecar: dict) -> None:
    with pytest.raises(UserError, match="export sidecar"):
        make_inputs(signature_of(TensorSpec((2,), "float32")), sidecar, 0)


def test_sidecars_are_found_beside_the_model(tmp_path: Path) -> None:
    model = tmp_path / "m.v2.pte"
    assert read_sidecar(model) is None
    (tmp_path / "m.v2.json").write_text("[]")
    with pytest.raises(UserError, match="not a JSON object"):
        read_sidecar(model)
    (tmp_path / "m.v2.json").write_text('{"inputs": []}')
    assert read_sidecar(model) == {"inputs": []}


def test_inputs_are_written_in_order(tmp_path: Path) -> None:
    arrays = make_inputs(signature_of(TensorSpec((2, 3), "float16"), TensorSpec((4,), "bool")), None, 0)
    paths = write_inputs(arrays, tmp_path / "inputs")
    assert [p.name for p in paths] == ["input_0.bin", "input_1.bin"]
    assert [p.read_bytes() for p in paths] == [a.tobytes() for a in arrays]


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
