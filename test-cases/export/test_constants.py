# SPDX-License-Identifier: Apache-2.0
"""A file much larger than its weights: which constant, how large, and the line that uses it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.export import DTYPES, KIT_MODELS, SharedExports, export_here, run_command, write_model

from model_profiling.export import constants
from model_profiling.export.constants import Constant

pytestmark = pytest.mark.slow

TABLES = """
class Positions(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("table", torch.rand(1, 8, 64, 64))
    def forward(self, x):
        return x + self.table
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.positions = nn.Conv2d(3, 8, 3, padding=1), Positions()
        self.plain = torch.rand(8, 64, 64)
        self.small = torch.rand(8, 1, 1)
    def forward(self, x):
        y = self.positions(self.conv(x))
        return y * self.small * self.plain
class Mine:
    def get_eager_model(self): return Net()
    def get_example_inputs(self): return (torch.rand(1, 3, 64, 64),)
"""
TABLE_BYTES = 8 * 64 * 64 * 4


def test_tables_are_named_with_their_line(tmp_path: Path) -> None:
    run = run_command("--model-file", write_model(tmp_path, TABLES), "--dtype", "fp32", cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    lines = [line.split(maxsplit=1) for line in run.stdout.splitlines()]
    told = [" ".join(line) for line in lines]
    assert any(
        "positions.table, a buffer of 0.13 MB (1x8x64x64 float32), used in module positions at mine.py:9" in line
        for line in told
    )
    assert any("plain, a constant of 0.13 MB (8x64x64 float32), used in mine.py:18" in line for line in told)
    assert not any("small," in line for line in told)
    assert any("times its weights" in line for line in told)


@pytest.mark.parametrize(("dtype", "table_bytes"), [("fp32", TABLE_BYTES), ("fp16", TABLE_BYTES // 2)])
def test_record_has_the_bytes(tmp_path: Path, dtype: str, table_bytes: int) -> None:
    body = TABLES.replace("self.plain = torch.rand(8, 64, 64)", "self.plain = torch.rand(8, 1, 1)")
    about = export_here(tmp_path / "out", model_file=write_model(tmp_path, body), dtype=dtype).sidecar
    stored = about["constants"]
    assert stored["weights_bytes"] == (8 * 3 * 9 + 8) * (2 if dtype == "fp16" else 4)
    (table,) = stored["excess"]
    assert (table["name"], table["kind"], table["bytes"], table["copies"]) == (
        "positions.table",
        "buffer",
        table_bytes,
        1,
    )
    assert table["source"].endswith("mine.py:9") and table["module"] == "positions"
    assert about["pte"]["bytes"] / stored["weights_bytes"] == pytest.approx(stored["pte_to_weights"], abs=1e-3)


def test_state_that_is_updated_is_no_constant(tmp_path: Path) -> None:
    body = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(64, 64)
        self.register_buffer("cache", torch.zeros(1, 512, 64))
    def forward(self, x):
        self.cache.copy_(torch.cat([self.cache[:, 1:], self.linear(x)], 1))
        return self.cache[:, -1:] * 2.0
class Mine:
    def get_eager_model(self): return Net()
    def get_example_inputs(self): return (torch.rand(1, 1, 64),)
"""
    about = export_here(tmp_path / "out", model_file=write_model(tmp_path, body)).sidecar
    assert about["constants"]["excess"] == [] and about["pte"]["bytes"] < 512 * 64 * 4


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("model", KIT_MODELS)
def test_the_kits_models_are_their_weights(shared_exports: SharedExports, model: str, dtype: str) -> None:
    """Weights account for the file. Of an fp16 model XNNPACK stores the filters as float32 (`force_fp32` of
    ExecuTorch's op_conv2d.py), so its file is up to twice as large as its weights."""
    stored = shared_exports[model, dtype].sidecar["constants"]
    assert 1.0 < stored["pte_to_weights"] + 0.01 < (2.0 if dtype == "fp16" else 1.2) and stored["excess"] == []


CONSTANTS = st.lists(
    st.builds(
        Constant,
        st.text("abc", min_size=1, max_size=3),
        st.sampled_from(["weight", "buffer", "constant"]),
        st.just((1,)),
        st.just("float32"),
        st.integers(0, 200_000),
        st.integers(1, 3),
        st.just(""),
        st.just(""),
    )
)


@given(CONSTANTS, st.integers(0, 20_000))
def test_what_is_listed_explains_the_excess(found: list[Constant], overhead: int) -> None:
    size = sum(one.bytes * one.copies for one in found) + overhead
    listed = constants.excess(tuple(found), size)
    weights = constants.weights_bytes(tuple(found))
    extra = [one.bytes * (one.copies - (one.kind == "weight")) for one in listed]
    assert extra == sorted(extra, reverse=True) and all(value >= constants.SMALLEST_LISTED_BYTES for value in extra)
    if size <= constants.NORMAL_RATIO * weights:
        assert listed == ()
    if listed:  # without the last of them the file is still too large: none is listed for nothing
        assert size - sum(extra[:-1]) > constants.NORMAL_RATIO * weights


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
