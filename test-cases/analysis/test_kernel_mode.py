# SPDX-License-Identifier: Apache-2.0
"""Experiments that record kernels: beside timed ones, in the summary and the report."""

from __future__ import annotations

import csv
import platform
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from support.emulation import emulated
from support.kit import kit, write_config
from support.numbers import check_numbers, numbers_of, parse_page, text_of

from model_profiling.analysis.tables.kernels import read_kernels
from model_profiling.errors import UserError
from model_profiling.pipeline.kernel_launches import read_kernel_launches
from model_profiling.pipeline.run_directory import RunDirectory
from model_profiling.report.run_files import analyze_run, summary_json

pytestmark = pytest.mark.emulator


def kernels_config(folder: Path, model: Path) -> Path:
    arm = {"mode": "timing", "runs": 1, "warmup": 0, "traced_runs": 1, "threads": [1]}
    return write_config(
        folder,
        model,
        pairs=1,
        analysis={},
        experiments=[
            {"name": "timed", **arm},
            {"name": "kernels_on", "mode": "kernels"},
            {"name": "kernels_off", "mode": "kernels", "disable_cpu_features": "auto"},
        ],
    )


def test_mode_kernels_records_beside_the_timed_experiments(exported, tmp_path: Path) -> None:
    """The whole pipeline, on an emulated device in the place of Arm hardware; its times mean nothing."""
    from model_profiling.pipeline import orchestrator
    from model_profiling.pipeline.config import load_config
    from model_profiling.pipeline.preparation import RunOptions
    from model_profiling.report.generate import generate_report

    model = exported("toy_transformer", "int8")
    config = load_config(kernels_config(tmp_path, model))
    # Warm-up until the times settle is no use here.
    config = replace(
        config,
        experiments=tuple(
            replace(e, extra_args=("--max-warmup", "0")) if e.mode == "timing" else e for e in config.experiments
        ),
    )
    directory = orchestrator.run(config, emulated(), RunOptions(tmp_path / "config.json", "test"))
    assert {launch.experiment for launch in directory.read_launches()} == {"timed"}
    summary = summary_json(analyze_run(directory))
    on, off = (read_kernels(directory.table(model.stem, name, 1, "kernels")) for name in ("kernels_on", "kernels_off"))
    assert any(use.family == "sme2" for use in on) and not any(use.family.startswith("sme") for use in off)
    assert [
        (x.experiment, x.mode, sorted(Path(f).suffix for f in x.files)) for x in read_kernel_launches(directory)
    ] == [(name, "kernels", [".etdump", ".kernels", ".log"]) for name in ("kernels_on", "kernels_off")]
    assert summary["kernels"]["kernels_on"]["1"]["sme2_time"] == {}, "no time of an emulated CPU tells coverage"
    assert summary["kernels"]["kernels_on"]["1"]["kernel_calls"] == sum(use.calls for use in on) > 0
    assert summary["kernels"]["kernels_on"]["1"]["sentence"] == (
        "17 of 17 matrix layers, 100 % of multiply-adds, reach SME2 kernels"
    )
    generate_report(directory)
    assert "kernels_on, 1 thread: 17 of 17 matrix layers" in directory.pipeline_summary_md(model.stem).read_text()
    check_report(directory)
    check_time_coverage(directory)
    kit("scripts/validate_results.py", "--results", directory.root).ok()
    # Records stand when a run is resumed, and a damaged one is reported.
    record = directory.raw("kernels_on", 1, 0, 0, ".kernels")
    before = record.stat().st_mtime_ns
    orchestrator.run(config, emulated(), RunOptions(tmp_path / "config.json", "test", resume=True))
    assert record.stat().st_mtime_ns == before
    record.write_bytes(record.read_bytes()[:-7])
    said = kit("scripts/validate_results.py", "--results", directory.root)
    assert "kernels_on_t1_p0.kernels is not what its launch left" in said.stdout and said.status == 2
    said = kit("scripts/analyze_results.py", "--run-dir", directory.root).error_line()
    assert "record of kernel calls is truncated or damaged" in said


def check_report(directory: RunDirectory) -> None:
    """Both sides by layer, and what misses SME2: of this model nothing."""
    text, page = directory.report_md.read_text(), parse_page(directory.report_html)
    for said in (text, " ".join(text_of(page).split())):
        assert "17 of 17 matrix layers, 100 % of multiply-adds, reach SME2 kernels" in said
        assert "Every matrix layer reaches an SME2 kernel." in said and "Kernels differ in 17 of 86 layers." in said
        assert "each of its calls was counted" in said and "candidate" not in said
        assert "kai_run_matmul_clamp_qai8_qai8p2vlx4_qsi8cxpsb2vlx4_2vlx2vl_sme2_mopa" in said
    assert "| SME2 | 3 | 0 | 225 | 17 | 0 | 0 | – | 0 |" in text and "_sme2_mopa` (SME2, 8 calls)" in text
    assert "weights, packed while loading" in text
    check_numbers(directory.root, numbers_of(page))


def check_time_coverage(directory: RunDirectory) -> None:
    """The same run, were its device hardware with SME2: the shares of what its own timeline tables say."""
    manifest, model = directory.read_manifest(), directory.read_manifest().model.id
    directory.write_manifest(replace(manifest, device="local", emulated=False, host={"system": "Linux"}))
    entry = summary_json(analyze_run(directory))["kernels"]
    directory.write_manifest(manifest)
    assert entry["kernels_off"]["1"]["sme2_time"] == {}, "no timed experiment switched SME2 off"
    held = entry["kernels_on"]["1"]["sme2_time"]["timed"]
    reached = {layer["layer"] for layer in entry["kernels_on"]["1"]["matrix_layers"]}
    with open(directory.table(model, "timed", 1, "all_runs_timeline"), newline="") as table:
        rows = list(csv.DictReader(table))
    method = next(float(row["duration_us"]) for row in rows if row["name"] == "Method::execute")
    mine = sum(float(row["duration_us"]) for row in rows if row["layer"] in reached)
    assert held["matrix_share"] == 1.0 and held["execution_share"] == pytest.approx(mine / method, rel=1e-9)
    assert re.fullmatch(
        r"Layers that call SME2 kernels take 100 % of the matrix layers' time and \d+ % of an execution "
        r"\(traced in timed\)",
        held["sentence"],
    )
    analyze_run(directory)


def test_configs_that_record_kernels_wrongly(toy: Path, tmp_path: Path) -> None:
    from model_profiling.pipeline.config import load_config

    one = {"name": "k", "mode": "kernels"}
    with pytest.raises(UserError, match="k records kernels and measures nothing to compare"):
        load_config(
            write_config(tmp_path, toy, experiments=[one, {"name": "on"}], analysis={"compare_pairs": [["k", "on"]]})
        )
    if platform.machine() not in ("aarch64", "arm64"):
        said = kit("scripts/mac_pipeline.py", "--config", kernels_config(tmp_path, toy)).error_line()
        assert "cannot record kernel calls here" in said and "preview_sme2.py" in said


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
