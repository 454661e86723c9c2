# SPDX-License-Identifier: Apache-2.0
"""`toy_decoder` from its export to a report by rows, as the README has it; quick, so without a verdict."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from support.export import EXPORT_MODEL
from support.kit import REPOSITORY, kit

from model_profiling import load_run

pytestmark = [pytest.mark.slow, pytest.mark.exports, pytest.mark.nightly]  # an export takes over a minute


@pytest.mark.parametrize("dtype", ["fp32", "fp16", "8da8w", "8da4w"])
def test_a_decoder_is_measured_by_rows(dtype: str, tmp_path: Path) -> None:
    export = EXPORT_MODEL.relative_to(REPOSITORY / "model_profiling")
    kit(export, "--model", "toy_decoder", "--dtype", dtype, "--outdir", tmp_path).ok()
    pte = tmp_path / f"toy_decoder_xnnpack_{dtype}.pte"
    record = json.loads(pte.with_suffix(".json").read_text())
    assert list(record["methods"]) == ["prefill", "decode"]
    assert all(method["agreement"]["passed"] for method in record["methods"].values())
    prefill, decode = (record["methods"][name] for name in ("prefill", "decode"))
    assert prefill["multiply_adds"] > 80 * decode["multiply_adds"] > 80e7
    assert prefill["sme2"]["share_of_multiply_adds"] == decode["sme2"]["share_of_multiply_adds"] == 1.0

    arguments = ["--method", "prefill", "--dimension", "rows=1,16", "--output", tmp_path / "rows"]
    kit("scripts/generate_config.py", "--model", pte, *arguments).ok()
    config = json.loads((tmp_path / "rows" / "config.json").read_text())
    for experiment in config["experiments"]:
        experiment |= {"runs": 4, "warmup": 1, "traced_runs": 2}
    (tmp_path / "rows" / "config.json").write_text(json.dumps(config))
    kit("scripts/mac_pipeline.py", "--config", tmp_path / "rows" / "config.json", "--quick").ok()
    run = Path(config["output_root"])
    kit("scripts/validate_results.py", "--results", run).ok()
    report = (run / "report.md").read_text()
    assert "## By input shape" in report and "## Tokens" in report and "after a prompt of 16 takes" in report
    layers = load_run(run).layers
    matrix = layers[layers["matrix"]].groupby("experiment", observed=True)["multiply_adds"].sum()
    # Of 16 rows a linear layer computes 16 times as much; the head has the last token alone.
    head = 512 * 8192
    linear = {rows: matrix[f"mac_sme2_on_prefill_rows{rows}"] - head for rows in (1, 16)}
    assert linear[16] == pytest.approx(16 * linear[1])


@pytest.mark.emulator
@pytest.mark.parametrize("dtype", ["fp32", "8da8w", "8da4w"])
@pytest.mark.parametrize("method", ["prefill", "decode"])
def test_what_is_foretold_of_a_decoder_is_what_runs(dtype: str, method: str, tmp_path: Path) -> None:
    export = EXPORT_MODEL.relative_to(REPOSITORY / "model_profiling")
    kit(export, "--model", "toy_decoder", "--dtype", dtype, "--outdir", tmp_path).ok()
    pte = tmp_path / f"toy_decoder_xnnpack_{dtype}.pte"
    kit("scripts/preview_sme2.py", "--model", pte, "--method", method, "--output-dir", tmp_path / "preview").ok()
    [found] = (tmp_path / "preview").glob("*.json")
    ran = json.loads(found.read_text())["variants"]["sme2"]["coverage"]["sme2"]["share_of_multiply_adds"]
    told = json.loads(pte.with_suffix(".json").read_text())["methods"][method]["sme2"]["share_of_multiply_adds"]
    assert told == pytest.approx(ran, abs=1e-3)


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
