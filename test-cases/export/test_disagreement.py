# SPDX-License-Identifier: Apache-2.0
"""A program that does not agree: the first layer that is off is named, and it can be kept for its latency."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from support.export import export_here, run_command

from model_profiling.errors import MeasurementError

pytestmark = pytest.mark.slow

CASES = Path(__file__).resolve().parents[1] / "fixtures" / "cases"
FILE = CASES / "disagreeing.py"


def line_of(text: str) -> int:
    """Return the line of the fixture that holds `text`."""
    return next(number for number, line in enumerate(FILE.read_text().splitlines(), 1) if text in line)


def refused(outdir: Path, name: str, dtype: str) -> str:
    with pytest.raises(MeasurementError) as raised:
        export_here(outdir, model=name, model_file=FILE, dtype=dtype)
    assert not outdir.exists()
    return str(raised.value)


@pytest.mark.parametrize(
    ("name", "dtype", "operator", "line", "cause"),
    [
        ("BeyondFloat16", "fp16", "aten.mul.Tensor", "y * y / 100000.0", "beyond float16's range"),
        ("WrongKernel", "fp32", "aten.softmax.int", "softmax(-1)", "wrong in this release"),
        ("BeyondInt8", "int8", "aten.mul.Tensor", "* self.back", "do not fit 256 steps"),
    ],
)
def test_first_layer_is_named(tmp_path: Path, name: str, dtype: str, operator: str, line: str, cause: str) -> None:
    told = refused(tmp_path / "out", name, dtype)
    assert f"the first layer beyond it is {operator} (" in told, told
    assert f"disagreeing.py:{line_of(line)})" in told, told
    assert cause in told and "--keep-disagreeing" in told and "\n" not in told


def test_kept_program_is_marked(tmp_path: Path) -> None:
    run = run_command(
        "--model-file", FILE, "--model", "BeyondFloat16", "--dtype", "fp16", "--outdir", tmp_path, "--keep-disagreeing"
    )
    assert run.returncode == 0, run.stderr
    assert "relative error not finite (limit 0.05)" in run.stdout
    assert "does not agree with the eager model" in run.stdout and "kept for its latency alone" in run.stdout
    result = export_here(tmp_path, model="BeyondFloat16", model_file=FILE, dtype="fp16", keep_disagreeing=True)
    assert result.sidecar["agreement"]["passed"] is False and result.sidecar["agreement"]["max_rel_error"] is None
    assert "does not agree with the eager model" in result.sidecar["notes"][0]


def test_nothing_is_marked_where_all_agrees(tmp_path: Path) -> None:
    result = export_here(tmp_path, model="BeyondFloat16", model_file=FILE, dtype="fp32", keep_disagreeing=True)
    assert result.sidecar["agreement"]["passed"] is True and result.sidecar["notes"] == []


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
