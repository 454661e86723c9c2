# SPDX-License-Identifier: Apache-2.0
"""The example's table of what was tried: made by its command, and what it says of the chosen encoder."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from support.export import DTYPES
from support.kit import REPOSITORY, kit

from model_profiling.analysis.traces.breakdown import PARTS
from model_profiling.models.edgetam_image_encoder import gelu, variants
from model_profiling.models.edgetam_image_encoder.enlarging import enlarging_forms
from model_profiling.paired_statistics import FASTER, SLOWER
from tools import measure_edgetam_encoder as command
from tools.edgetam_measurement import programs, tables
from tools.edgetam_measurement.launches import MeasurementSettings, Sample

EXAMPLE = REPOSITORY / "model_profiling" / "models" / "edgetam_image_encoder"
TOOL = "../tools/measure_edgetam_encoder.py"


@pytest.fixture(scope="module")
def committed() -> dict:
    return json.loads((EXAMPLE / "measured.json").read_text(encoding="utf-8"))


def comparisons(entry: dict, baseline: str) -> dict[str, dict]:
    return {c["candidate"]: c for c in entry["comparisons"] if c["baseline"] == baseline}


def test_committed_table_is_that_of_the_committed_numbers(committed):
    assert (EXAMPLE / "MEASURED.md").read_text(encoding="utf-8") == tables.markdown(committed)


def test_every_dtype_and_form_was_measured_at_full_size(committed):
    assert committed["settings"]["image"] == [1, 3, 1024, 1024] and committed["settings"]["blocks"] >= 6
    assert [entry["dtype"] for entry in committed["dtypes"]] == list(DTYPES)
    for entry in committed["dtypes"]:
        forms = len(entry["programs"]) > len(programs.wanted(entry["dtype"], forms=False))
        assert forms or entry["dtype"] != "fp32"
        assert tuple(entry["programs"]) == programs.wanted(entry["dtype"], forms)
        for program in entry["programs"].values():
            assert len(program["latency_ms"]) == len(program["enlarging_ms"]) == committed["settings"]["blocks"]


def test_chosen_encoder_is_smaller_and_not_slower_than_the_plain_one(committed):
    for entry in committed["dtypes"]:
        plain, chosen = entry["programs"]["plain"], entry["programs"]["chosen"]
        assert chosen["bytes"] < 0.3 * plain["bytes"]
        assert comparisons(entry, "plain")["chosen"]["model"]["verdict"] != SLOWER
        assert (chosen["delegates"], chosen["portable_operators"]) == (1, 0)


def test_no_form_was_measured_to_be_faster_than_the_chosen_one(committed):
    for entry in committed["dtypes"]:
        found = comparisons(entry, "chosen")
        assert not [name for name, c in found.items() if c["model"]["verdict"] == FASTER]


# The command ---------------------------------------------------------------------------------------------


def sidecar(size: int) -> dict:
    return {
        "pte": {"bytes": size, "sha256": "0" * 64},
        "parameters": 10,
        "delegation": {"delegates": 1, "portable_operators": 0},
        "agreement": {"max_rel_error": 1e-6, "cosine": 1.0},
    }


def made_up(dtype: str, **slower: float) -> dict:
    """Results of eight blocks in which every program takes 100 ms, or what `slower` gives it."""
    names = programs.wanted(dtype)
    made = {name: programs.ExportedVariant(name, Path(f"{name}.pte"), sidecar(1_000_000)) for name in names}
    samples = {
        name: [
            Sample(slower.get(name, 100.0) * (1 + block / 1000), dict.fromkeys(PARTS, 1.0), 2.0) for block in range(8)
        ]
        for name in names
    }
    return tables.results_of(dtype, made, samples)


def test_ratios_are_of_plain_and_of_chosen():
    entry = made_up("fp32", plain=200.0, transposed_convolution=125.0)
    against_plain, against_chosen = comparisons(entry, "plain"), comparisons(entry, "chosen")
    assert against_plain["chosen"]["model"]["speedup"] == pytest.approx(2)
    assert against_plain["chosen"]["model"]["verdict"] == FASTER
    assert against_chosen["transposed_convolution"]["model"]["speedup"] == pytest.approx(0.8)
    assert against_chosen["transposed_convolution"]["model"]["verdict"] == SLOWER
    assert against_chosen["transposed_convolution"]["enlarging"]["speedup"] == pytest.approx(1)
    text = tables.markdown(tables.measured(MeasurementSettings(1024, 8, 2, 1, 1), [entry]))
    assert "| chosen | 1.00 | 1 | 0 | 100.3 | 2.000 (2.000 to 2.000), faster | 1e-06 |" in text
    assert re.search(r"\| transposed_convolution \|.*\| 0\.800 \(0\.800 to 0\.800\), slower \|", text)


def test_forms_of_gelu_are_measured_in_fp16_alone():
    assert {"gelu", "sigmoid_of_a_quintic"} <= set(programs.wanted("fp16"))
    assert not {"gelu", "sigmoid_of_a_quintic"} & set(programs.wanted("fp32"))
    assert len(programs.wanted("fp32")) == 2 + len(enlarging_forms(4))
    assert len(programs.wanted("fp16")) == 3 + len(enlarging_forms(4)) + len(gelu.gelu_forms()) - 1


@pytest.mark.parametrize(
    ("name", "dtype"),
    [("broadcast_addition_channels_last", "int8"), ("sigmoid_of_a_cubic", "fp16"), ("upsample_nearest2d", "fp32")],
)
def test_names_that_share_a_program_are_the_same_module(name, dtype):
    """A form is measured once where two names mean it: their modules are of the same parts."""
    other = variants.program_of(name, dtype)
    assert other != name
    kinds = [[type(m).__name__ for m in variants.build(n, 64).modules()] for n in (name, other)]
    if dtype == "fp32":  # GELU is GELU there, whatever it is in fp16
        kinds = [[kind for kind in found if kind not in ("GELU", "GeluFor16", "SigmoidGelu")] for found in kinds]
    assert kinds[0] == kinds[1]


def test_other_dtypes_stay_where_the_measurement_is_the_same(tmp_path):
    settings, path = MeasurementSettings(1024, 8, 2, 1, 1), tmp_path / "measured.json"
    path.write_text(json.dumps(tables.measured(settings, [made_up("fp32"), made_up("int8")])))
    assert [entry["dtype"] for entry in command._kept(path, settings, ["int8"])] == ["fp32"]
    assert command._kept(path, MeasurementSettings(512, 8, 2, 1, 1), ["int8"]) == []


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--size", "1000"], "there are no variants for 1000"),
        (["--blocks", "0"], "count things"),
        (["--dtypes", "fp61"], "fp61"),
        (["--tables-only", "--dest", "nowhere"], "measured.json"),
    ],
)
def test_bad_command_lines(words, told, tmp_path):
    assert told in kit(TOOL, *words, cwd=tmp_path).error_line()
    assert list(tmp_path.iterdir()) == []
