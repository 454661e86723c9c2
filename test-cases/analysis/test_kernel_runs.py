# SPDX-License-Identifier: Apache-2.0
"""Runs that record kernels: mode "xnntrace" from config to report, what validates them, runs without times."""

from __future__ import annotations

import json
import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from support.browser import accessibility_problems
from support.kit import kit, write_config
from support.logged_runs import ARM, ON, PIPELINE, both_builds, logged
from support.numbers import check_numbers, numbers_of, parse_page, text_of
from support.stand_in import stand_in

from model_profiling.analysis.tables.kernels import read_kernels
from model_profiling.files import sha256
from model_profiling.pipeline.kernel_launches import read_kernel_launches
from model_profiling.pipeline.run_directory import RunDirectory

pytestmark = pytest.mark.exports


# ---------------------------------------------------------------- what a run holds


def test_launches_that_log_are_recorded_beside_the_timed_ones(logged_folder: Path) -> None:
    directory = RunDirectory(logged_folder / "run")
    assert [launch.experiment for launch in directory.read_launches()] == ["timed"]
    launches = read_kernel_launches(directory)
    assert [(x.experiment, x.mode, x.runner, x.exit_code, x.failed) for x in launches] == [
        (name, "xnntrace", "executor_runner", 0, None) for name in ("log_on", "log_off")
    ]
    on = launches[0]
    assert on.argv[0].endswith("stand_in_for_executor_runner_a64-sme2on__qemu-sme-on_mv3_fp32")
    assert "--num_executions=1" in on.argv and on.duration_s > 0
    assert on.files == {
        f"log_on/log_on_t1_p0{s}": sha256(directory.raw("log_on", 1, 0, 0, s)) for s in (".log", ".etdump")
    }
    assert directory.read_manifest().kernel_launches_sha256 == sha256(directory.kernel_launches)


def test_what_the_log_and_the_trace_say_is_in_tables_and_summary(logged_folder: Path, exported) -> None:
    """43 of 54 matrix layers run with packed types: those that the auditor sees call SME2 kernels (README)."""
    directory, model = RunDirectory(logged_folder / "run"), exported("mobilenet_v3_small", "fp32").stem
    on, off = (read_kernels(directory.table(model, name, 1, "kernels")) for name in ("log_on", "log_off"))
    assert {(row.evidence, row.calls, row.layer, row.experiment) for row in on} == {("registered", None, "", "log_on")}
    assert sum(row.family == "sme2" for row in on) == 3 and not any(row.family in ("sme2", "sme") for row in off)
    summary = json.loads(directory.analysis_summary.read_text())["kernels"]
    entry = summary["log_on"]["1"]
    assert (entry["evidence"], entry["kernels"], entry["kernel_lines"], entry["lines_cut"]) == ("registered", 31, 37, 0)
    assert entry["families"] == {
        "sme2": {"compute": 3, "pack": 0},
        "neon": {"compute": 26, "pack": 0},
        "other": {"compute": 2, "pack": 0},
    }
    assert entry["sentence"] == "XNNPACK registered 31 kernels while loading, 3 of them SME2: candidates, not calls"
    packed = entry["packed_for_sme"]
    assert (packed["layers"], packed["all_layers"], packed["multiply_adds"]) == (43, 54, 49_049_856)
    assert packed["sentence"].startswith("43 of 54 matrix layers, 87 % of multiply-adds, ran with element types")
    assert summary["log_off"]["1"]["packed_for_sme"]["layers"] == 0
    text = directory.pipeline_summary_md(model).read_text()
    assert "| log_on | 1 | registered | 3 | - | - | - |" in text
    assert "log_off, 1 thread: XNNPACK registered 31 kernels while loading, none of them SME2" in text


def test_level_5_counts_the_operators_that_ran(toy: Path, tmp_path: Path) -> None:
    """Its operator lines are on stdout, the kernels on stderr: one log holds both."""
    runner = stand_in(tmp_path, "a64-sme2on-xnnlog5__qemu-sme-on", "m")
    config = write_config(tmp_path, toy, analysis={}, experiments=[logged("log", runner)])
    kit(PIPELINE, "--config", config).ok()
    entry = json.loads((tmp_path / "run/analysis_summary.json").read_text())["kernels"]["log"]["1"]
    assert entry["operators"] == {
        "Transpose (ND, X32) Transpose": 3,
        "Convolution (NHWC, PF32) IGEMM": 2,
        "Max Pooling (NHWC, F32) Default": 2,
        "Fully Connected (NC, PF32) GEMM": 1,
    }
    assert entry["skipped_operators"] == {"Static Reshape (NC) Default": 1} and entry["kernels"] == 16


def test_a_made_launch_stands(logged_folder: Path, tmp_path: Path) -> None:
    """Taking the run up again, or analyzing it alone, starts no runner: these are gone."""
    folder = tmp_path / "moved"
    shutil.copytree(logged_folder, folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "output_root": str(folder / "run")}))
    directory = RunDirectory(folder / "run")
    manifest = directory.read_manifest()
    directory.write_manifest(
        replace(manifest, config_json={**manifest.config_json, "output_root": str(folder / "run")})
    )
    before = directory.kernel_launches.read_bytes()
    for runner in logged_folder.glob("stand_in_*"):
        runner.write_text(f"#!/bin/sh\nexit 9\n{runner.read_text()}")
    try:
        for flags in (["--resume"], ["--analysis-only"]):
            kit(PIPELINE, "--config", folder / "config.json", *flags).ok()
    finally:
        for runner in logged_folder.glob("stand_in_*"):
            runner.write_text(runner.read_text().removeprefix("#!/bin/sh\nexit 9\n"))
    assert directory.kernel_launches.read_bytes() == before


# ---------------------------------------------------------------- what cannot be


def test_configs_that_ask_for_what_cannot_be(toy: Path, tmp_path: Path) -> None:
    runner = stand_in(tmp_path, ON, "m")

    def told(*flags: object, **changes: object) -> str:
        return kit(
            PIPELINE, "--config", write_config(tmp_path, toy, **{"analysis": {}, **changes}), *flags
        ).error_line()

    for spoilt in ({}, {"runner": "native"}, {"runner": "python"}):
        line = told(experiments=[{"name": "log", "mode": "xnntrace", **spoilt}])
        assert 'mode "xnntrace" needs a source-built executor_runner that logs' in line
        assert "in experiments[0] of" in line and "-DEXECUTORCH_XNNPACK_LOG_LEVEL=4" in line
    # One runner_path for all experiments is one for this one too, and a runner of its own replaces it.
    assert "needs a source-built" in told(
        runner_path=str(runner), experiments=[{"name": "log", "mode": "xnntrace", "runner": "native"}]
    )
    log = logged("log", runner)
    assert "log records kernels and measures nothing to compare" in told(
        experiments=[log, {"name": "timed"}], analysis={"compare_pairs": [["log", "timed"]]}
    )
    assert 'an executor_runner cannot clear CPU features, in "disable_cpu_features" of log' in told(
        experiments=[{**log, "disable_cpu_features": "auto"}]
    )
    assert "the executor_runner runner cannot record kernel calls here" in told(
        experiments=[{**log, "mode": "kernels"}]
    )
    assert 'no experiment measures time, in "experiments" of the config, for --aa' in told("--aa", experiments=[log])
    assert "--precision needs an experiment that measures time" in told("--precision", "5", experiments=[log])
    assert not (tmp_path / "run").exists()
    config = write_config(tmp_path, toy, analysis={}, experiments=[{**log, "runner_path": str(tmp_path / "gone")}])
    said = kit("scripts/validate_pipeline.py", "--config", config)
    assert re.search(r"error +runners +the runner does not exist", said.stdout) and said.status == 2
    config = write_config(tmp_path, toy, analysis={}, experiments=[log])
    said = kit("scripts/validate_pipeline.py", "--config", config).ok()
    assert "log: executor_runner" in said.stdout and "nothing to compare" in said.stdout


def test_a_log_without_kernels_names_the_option_and_the_launch_is_made_again(toy: Path, tmp_path: Path) -> None:
    """A build without the option first, then the right one in its place: the log is then of that one alone."""
    runner = stand_in(tmp_path, ON, "m")
    right = runner.read_text()
    silent = runner.with_name("silent")
    runner.rename(silent)
    runner.write_text(f'#!/bin/sh\n{silent} "$@" 2>&1 | grep -v microkernel\n')
    runner.chmod(0o755)
    config = write_config(tmp_path, toy, analysis={}, experiments=[logged("log", runner)])
    line = kit(PIPELINE, "--config", config).error_line(1)
    assert "log (1 thread): the log of" in line and "names no XNNPACK kernel" in line
    assert "-DEXECUTORCH_XNNPACK_LOG_LEVEL=4" in line and "log_t1_p0.log" in line and "--resume" in line
    directory = RunDirectory(tmp_path / "run")
    (failed,) = read_kernel_launches(directory)
    assert "names no XNNPACK kernel" in failed.failed and failed.exit_code == 0 and failed.files == {}
    assert not directory.raw("log", 1, 0, 0, ".etdump").exists()
    runner.write_text(right)
    kit(PIPELINE, "--config", config, "--resume").ok()
    assert [launch.failed is None for launch in read_kernel_launches(directory)] == [False, True]
    assert directory.raw("log", 1, 0, 0, ".log").read_text().count("Model loaded in") == 1
    kit("scripts/validate_results.py", "--results", directory.root).ok()


def test_a_runner_that_fails_is_recorded(toy: Path, tmp_path: Path) -> None:
    runner = tmp_path / "broken"
    runner.write_text(
        "#!/bin/sh\necho 'E 00:00:00.000123 executorch:executor_runner.cpp:9] no such program' >&2\nexit 3\n"
    )
    runner.chmod(0o755)
    config = write_config(tmp_path, toy, analysis={}, experiments=[logged("log", runner)])
    line = kit(PIPELINE, "--config", config).error_line(1)
    assert "broken exited with status 3 (no such program)" in line
    (launch,) = read_kernel_launches(RunDirectory(tmp_path / "run"))
    assert launch.exit_code == 3 and "no such program" in launch.failed


# ---------------------------------------------------------------- what people read


def test_the_report_says_what_registered_means(logged_folder: Path) -> None:
    page = parse_page(logged_folder / "run/report.html")
    markdown = (logged_folder / "run/report.md").read_text()
    for text in (" ".join(text_of(page).split()), markdown):
        assert "43 of 54 matrix layers, 87 % of multiply-adds, ran with element types" in text
        assert "It is a candidate, not a call" in text and "once for the whole process" in text
        assert "a few tables are not logged" in text and "Kernels differ in 2 of 11 kinds." in text
        assert "xnn_pf32_gemm_minmax_ukernel_32x32__neonsme2" in text and "SME2 off" not in text
    assert "| SME2 | 3 | 0 | 0 | 0 |" in markdown
    check_numbers(logged_folder / "run", numbers_of(page))


def test_the_report_works_in_a_browser(logged_folder: Path, open_page) -> None:
    for width in (1280, 390):
        for scheme in ("light", "dark"):
            with open_page(logged_folder / "run/report.html", width, scheme) as page:
                assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
                assert page.locator("#kernels .family-sme2").count() == 3
                assert page.locator("nav a[href='#kernels']").is_visible()
                assert accessibility_problems(page) == []


def test_a_run_without_times_has_a_report_of_kernels_alone(exported, logged_folder: Path, tmp_path: Path) -> None:
    config = write_config(
        tmp_path,
        exported("mobilenet_v3_small", "fp32"),
        analysis={"compare_pairs": [["timed", "other"]]},
        experiments=[{"name": "timed", **ARM}, {"name": "other", **ARM}, *both_builds(tmp_path)],
    )
    kit(PIPELINE, "--config", config, "--only", "log_on", "log_off").ok()
    directory = RunDirectory(tmp_path / "run")
    assert not directory.launches.exists() and directory.is_finished()
    page = text_of(parse_page(directory.report_html))
    for text in (page, directory.report_md.read_text()):
        assert "This run has no times to compare, so there is no verdict." in text
        assert "Kernels differ in 2 of 11 kinds." in text
        assert "Latency" not in text and "No traces" not in text and "Nothing was void" not in text
    kit("scripts/validate_results.py", "--results", directory.root).ok()
    kit(PIPELINE, "--config", config, "--only", "log_on", "log_off", "--resume").ok()
    said = kit(
        "scripts/compare_runs.py", "--baseline", directory.root, "--candidate", logged_folder / "run"
    ).error_line()
    assert "the run recorded kernels and measured no times" in said


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
