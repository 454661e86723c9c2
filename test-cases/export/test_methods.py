# SPDX-License-Identifier: Apache-2.0
"""Several methods in one program: exported with shared weights, checked and recorded each by itself."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from support.export import export_here, run_command

from model_profiling.errors import UserError
from model_profiling.models import loading
from model_profiling.pipeline.program.signature import read_methods, read_signature

pytestmark = pytest.mark.slow

CASES = Path(__file__).resolve().parents[1] / "fixtures" / "cases" / "methods.py"


def test_two_methods_share_their_weights_and_each_is_recorded(tmp_path: Path) -> None:
    done = run_command("--model-file", CASES, "--model", "Pair", "--dtype", "fp32", "--outdir", tmp_path, "--explain")
    assert done.returncode == 0, done.stderr
    pte = tmp_path / "Pair_xnnpack_fp32.pte"
    assert set(read_methods(pte)) == {"encode", "classify"}
    weights = 4 * (64 * 512 + 512 + 512 * 5 + 5)
    assert pte.stat().st_size < 1.5 * weights  # and not twice the encoder

    record = json.loads(pte.with_suffix(".json").read_text())
    assert record["parameters"] == weights // 4
    encode, classify = record["methods"]["encode"], record["methods"]["classify"]
    assert [one["shape"] for one in encode["inputs"]] == [[4, 64]]
    assert (encode["multiply_adds"], classify["multiply_adds"]) == (4 * 64 * 512, 64 * 512 + 512 * 5)
    assert encode["agreement"]["passed"] and classify["agreement"]["passed"]
    assert encode["dimensions"] == {"rows": {"low": 1, "high": 64}}
    assert encode["inputs"][0]["extents"] == ["rows", 64] and encode["tokens"] == "rows"
    assert "dimensions" not in classify and classify["tokens"] == 1

    shown = done.stdout
    assert shown.index("  method      encode") < shown.index("  method      classify")
    assert shown.count("Every operator runs in XNNPACK.") == 2
    assert "\nMethod encode\n" in shown and "captured the graphs of encode and classify" in done.stderr + shown


def test_only_the_methods_that_are_named(tmp_path: Path) -> None:
    result = export_here(tmp_path, model="Pair", model_file=CASES, methods=("classify",))
    assert read_methods(result.paths.pte) == ("classify",)
    assert list(result.sidecar["methods"]) == ["classify"]


@pytest.mark.parametrize("dtype", ["int8", "8da8w"])
def test_quantized_methods_share_their_weights_too(tmp_path: Path, dtype: str) -> None:
    result = export_here(tmp_path, model="Pair", model_file=CASES, dtype=dtype)
    assert result.paths.pte.stat().st_size < 1.5 * (64 * 512 + 512 * 5) + 8 * 512 + 20_000
    assert all(one["agreement"]["passed"] for one in result.sidecar["methods"].values())


@pytest.mark.parametrize(
    ("model", "methods", "said"),
    [
        (
            "Pair",
            ("encod",),
            "Pair has no method 'encod' (did you mean encode?), in --method: name some of encode, classify",
        ),
        ("Counting", ("decode",), "Counting has no method 'decode', in --method: name some of forward"),
        ("NoDict", (), "get_methods() returned a list of another form"),
        ("OddName", (), "get_methods() names a method 'two words'"),
    ],
)
def test_a_method_that_is_not_there_or_is_none(model: str, methods: tuple[str, ...], said: str) -> None:
    with pytest.raises(UserError) as raised:
        loading.load_methods(model, CASES, None, methods)
    assert said in str(raised.value)


def test_a_program_of_several_methods_asks_for_one(tmp_path: Path) -> None:
    pte = export_here(tmp_path, model="Pair", model_file=CASES).paths.pte
    with pytest.raises(UserError) as raised:
        read_signature(pte)
    assert "the program has several methods (" in str(raised.value) and 'name one in "method"' in str(raised.value)
    with pytest.raises(UserError, match=r"no method 'encod' \(did you mean encode\?\)"):
        read_signature(pte, "encod")
    assert [spec.shape for spec in read_signature(pte, "classify").inputs] == [(1, 64)]


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
