# SPDX-License-Identifier: Apache-2.0
"""Where accuracy is lost: one layer that ruins int8 is found, inside of a delegate too, and kept in float it is not."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import pytest
from support.export import export_here, run_command
from support.kit import FIXTURES

from model_profiling.errors import UserError
from model_profiling.export.export_job import ExportResult
from model_profiling.json_objects import JsonObject
from model_profiling.models.contract import FORWARD
from model_profiling.numeric_gap import COLUMNS, NumericGap

pytestmark = pytest.mark.slow

FILE = FIXTURES / "cases" / "spoiled.py"


def exported(outdir: Path, **request) -> ExportResult:
    # What the layer leaves of the output does not agree with the eager model.
    return export_here(outdir, **{"model_file": FILE, "dtype": "int8", "keep_disagreeing": True, **request})


@pytest.fixture(scope="module")
def spoiled(tmp_path_factory: pytest.TempPathFactory) -> ExportResult:
    return exported(tmp_path_factory.mktemp("spoiled"), numeric_gap=True)


def of(result: ExportResult) -> NumericGap:
    return result.numeric_gaps[FORWARD]


def test_layer_that_ruins_int8_is_first(spoiled: ExportResult) -> None:
    worst, *others = of(spoiled).layers
    assert (worst.module, worst.operators) == ("spoiled", "conv2d + relu")
    line = next(n for n, text in enumerate(FILE.read_text().splitlines(), 1) if "self.spoiled(x)" in text)
    assert worst.source.endswith(f"spoiled.py:{line}")
    # Its own result has a good ratio, as the large channel is nearly all of the signal: only the output tells.
    assert worst.local.sqnr_db > 60
    assert all(layer.alone.noise < worst.alone.noise / 100 for layer in others if layer.alone)


def test_its_contribution_is_what_the_output_lost(spoiled: ExportResult) -> None:
    """Nearly all noise is this layer's: its contribution and the output's are within 1 dB of each other."""
    gap = of(spoiled)
    assert gap.layers[0].alone.sqnr_db == pytest.approx(gap.graph.sqnr_db, abs=1)
    assert gap.program.sqnr_db == pytest.approx(gap.graph.sqnr_db, abs=1)


def test_layers_in_delegates_are_measured_in_the_runtime(spoiled: ExportResult) -> None:
    gap = of(spoiled)
    assert spoiled.sidecar["delegation"]["delegates"] > 0 and gap.runtime_note == ""
    assert [layer.module for layer in gap.layers if layer.runtime is None] == []
    for layer in gap.layers:
        assert layer.runtime.sqnr_db == pytest.approx(layer.output.sqnr_db, abs=3), layer.name


def test_kept_in_float_the_output_gains_what_was_said(tmp_path: Path, spoiled: ExportResult) -> None:
    """The layer's large channel is quantized where the next one takes it, so that both have to be kept.

    What is said leaves the next layer's own error in, so that the gain is at least that; 1 dB for ranges that are
    found anew. It is at most what the other layers that stay quantized cost together.
    """
    before, best = of(spoiled), of(spoiled).best_kept
    assert best is before.layers[0] and best.keep == ("spoiled", "after")
    after = of(exported(tmp_path, numeric_gap=True, kept_float=best.keep, keep_disagreeing=False))
    assert after.program.sqnr_db >= best.kept.sqnr_db - 1
    assert after.program.sqnr_db > before.program.sqnr_db + 20
    still = [layer for layer in before.layers if layer.module not in best.keep]
    assert after.program.noise >= max(layer.alone.noise for layer in still) / 10
    assert after.layers[0].module != "spoiled"


def test_without_delegates_it_is_the_same(tmp_path: Path, spoiled: ExportResult) -> None:
    gap = of(exported(tmp_path, numeric_gap=True, backend="portable"))
    assert gap.layers[0].module == "spoiled"
    assert gap.layers[0].alone.sqnr_db == pytest.approx(of(spoiled).layers[0].alone.sqnr_db, abs=0.5)


def test_record_and_table_have_it(spoiled: ExportResult) -> None:
    record = json.loads(spoiled.paths.sidecar.read_text())
    assert NumericGap.from_json(JsonObject(record["numeric_gap"], "", "")) == of(spoiled)
    with spoiled.paths.numeric_gap.open() as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS and [row["module"] for row in rows][0] == "spoiled"
    assert rows[0]["keep"] == "spoiled after" and rows[0]["rank"] == "1"


@pytest.mark.nightly
@pytest.mark.parametrize("dtype", ["fp32", "fp16", "8da8w", "8da4w"])
def test_other_dtypes_have_no_such_layer(tmp_path: Path, dtype: str) -> None:
    gap = of(exported(tmp_path, numeric_gap=True, dtype=dtype))
    assert len(gap.layers) == 6 and gap.runtime_note == ""
    assert gap.program.exact or gap.program.sqnr_db > (100 if dtype == "fp32" else 15)
    assert all(layer.keep == () for layer in gap.layers) == (dtype in ("fp32", "fp16"))


def test_command_says_what_to_do(tmp_path: Path) -> None:
    run = run_command(
        "--model-file", FILE, "--dtype", "int8", "--numeric-gap", "--keep-disagreeing", "--outdir", tmp_path
    )
    assert run.returncode == 0, run.stderr
    assert "Where accuracy is lost: the program's output has" in run.stdout
    assert "Try: --keep-float spoiled after: the output's SQNR should go from" in run.stdout
    assert f"All layers: {tmp_path / 'spoiled_xnnpack_int8_numeric_gap.csv'}" in run.stdout


@pytest.mark.parametrize(
    ("dtype", "kept", "told"),
    [
        ("int8", "spoild", "no module or operator 'spoild' (did you mean spoiled?)"),
        ("fp16", "spoiled", "fp16 quantizes nothing"),
    ],
)
def test_what_cannot_be_kept_is_refused(tmp_path: Path, dtype: str, kept: str, told: str) -> None:
    with pytest.raises(UserError) as raised:
        exported(tmp_path / "out", dtype=dtype, kept_float=(kept,))
    assert told in str(raised.value) and "in --keep-float" in str(raised.value)
    assert not (tmp_path / "out").exists()


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
