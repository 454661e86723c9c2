# SPDX-License-Identifier: Apache-2.0
"""Matrix products where an export may count wrongly (`fixtures/cases/matrices.py`)."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from support.export import export_here

from model_profiling.analysis.traces.layers import model_layers
from model_profiling.errors import MeasurementError
from model_profiling.export import lowering
from model_profiling.pipeline.program.layers import build_graph
from model_profiling.pipeline.program.workload import Workload
from model_profiling.rounding import places_for

pytestmark = pytest.mark.slow

CASES = Path(__file__).resolve().parents[1] / "fixtures" / "cases" / "matrices.py"


def test_weights_that_many_delegates_share_are_stored_once(tmp_path: Path) -> None:
    """The file is large because of its many delegates, and that is no constant's fault."""
    done = export_here(tmp_path, model="Recurrent", model_file=CASES)
    assert done.delegation.delegates > 3
    assert [one["copies"] for one in done.sidecar["constants"]["excess"]] == []
    weights = 4 * (3 * 16 * 16 * 2 + 3 * 16 * 2)
    assert done.sidecar["constants"]["weights_bytes"] == weights


def test_a_product_outside_of_xnnpack_is_a_matrix_layer_too(tmp_path: Path) -> None:
    done = export_here(tmp_path, model="Beside", model_file=CASES)
    layers = [layer for layer in model_layers(build_graph(Workload(done.paths.pte))) if layer.matrix]
    assert sorted((layer.delegated, layer.multiply_adds) for layer in layers) == [(0, 16**3), (1, 16**2)]
    assert done.reach.share == pytest.approx(1 / 17)


def test_a_recipe_says_what_it_left_in_floating_point(tmp_path: Path) -> None:
    notes = export_here(tmp_path, model="Attending", model_file=CASES, dtype="int8").sidecar["notes"]
    assert "1 of 3 matrix layers are quantized; the others (batch matmul) stay in float32" in notes


def test_what_is_computed_in_float32_meets_float16(tmp_path: Path) -> None:
    """PyTorch refuses the product as it stands; that the program agrees is a part of every export."""
    done = export_here(tmp_path, model="FloatPositions", model_file=CASES, dtype="fp16")
    assert "float16" in {one.layer.numbers for one in done.reach.layers}


def test_large_weights_are_not_copied_for_an_etrecord(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lowering, "ETRECORD_LIMIT_BYTES", 1000)
    done = export_here(tmp_path, model="Beside", model_file=CASES)
    assert not done.paths.etrecord.exists()
    assert any("written without an .etrecord, which takes two more copies" in note for note in done.sidecar["notes"])


def test_a_program_that_ends_its_process_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(MeasurementError) as raised:
        export_here(tmp_path, model="ScaledWeight", model_file=CASES, dtype="int8")
    said = str(raised.value)
    assert "ended the process with SIGABRT" in said and "\n" not in said
    assert export_here(tmp_path, model="ScaledWeight", model_file=CASES).paths.pte.is_file()


@pytest.mark.parametrize(("value", "places"), [(0.0004, 4), (0.00004, 5), (0.004, 3), (0.04, 3), (4.0, 3)])
def test_a_small_time_keeps_its_first_digit(value: float, places: int) -> None:
    assert places_for(value / 1000, value) == places


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
