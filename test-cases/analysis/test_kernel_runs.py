# SPDX-License-Identifier: Apache-2.0
"""Runs that record kernels: mode "xnntrace" from config to report, what validates them, runs without times."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.browser import accessibility_problems
from support.kit import kit, write_config
from support.numbers import check_numbers, numbers_of, parse_page, text_of
from support.stand_in import stand_in

from model_profiling.analysis.checks.kernel_launches import check_kernel_launches
from model_profiling.analysis.tables.kernels import read_kernels
from model_profiling.errors import UserError
from model_profiling.files import sha256
from model_profiling.findings import ERROR
from model_profiling.pipeline.kernel_launches import read_kernel_launches, standing
from model_profiling.pipeline.run_directory import RunDirectory

pytestmark = pytest.mark.exports

ON, OFF = "a64-sme2on__qemu-sme-on", "a64-smeoff__qemu-sme-on"
PIPELINE = "scripts/mac_pipeline.py"
ARM = {"mode": "timing", "runs": 2, "warmup": 0, "traced_runs": 1, "threads": [1]}


def logged(name: str, runner: Path, **changes: object) -> dict[str, object]:
    """Return an experiment that takes kernels from a runner's log."""
    return {"name": name, "mode": "xnntrace", "runner_path": str(runner), **changes}


def both_builds(folder: Path) -> list[dict[str, object]]:
    """Return an experiment for the build with SME2 and one for that without, recorded with MobileNetV3-Small."""
    return [logged("log_on", stand_in(folder, ON, "mv3_fp32")), logged("log_off", stand_in(folder, OFF, "mv3_fp32"))]


@pytest.fixture(scope="module")
def made(exported, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of one timed experiment and two that log; tests that change it work on a copy."""
    folder = tmp_path_factory.mktemp("logged")
    config = write_config(
        folder,
        exported("mobilenet_v3_small", "fp32"),
        pairs=1,
        analysis={},
        experiments=[{"name": "timed", **ARM}, *both_builds(folder)],
    )
    said = kit(PIPELINE, "--config", config).ok().stdout
    assert "log_on: registered kernels recorded, 1 thread" in said
    return folder


@pytest.fixture
def run(made: Path, tmp_path: Path) -> RunDirectory:
    """A copy of that run, to be spoilt."""
    return RunDirectory(shutil.copytree(made / "run", tmp_path / "run"))


# ---------------------------------------------------------------- what a run holds


def test_launches_that_log_are_recorded_beside_the_timed_ones(made: Path) -> None:
    directory = RunDirectory(made / "run")
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


def test_what_the_log_and_the_trace_say_is_in_tables_and_summary(made: Path, exported) -> None:
    """43 of 54 matrix layers run with packed types: those that the auditor sees call SME2 kernels (README)."""
    directory, model = RunDirectory(made / "run"), exported("mobilenet_v3_small", "fp32").stem
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


def test_a_made_launch_stands(made: Path, tmp_path: Path) -> None:
    """Taking the run up again, or analyzing it alone, starts no runner: these are gone."""
    folder = tmp_path / "moved"
    shutil.copytree(made, folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "output_root": str(folder / "run")}))
    directory = RunDirectory(folder / "run")
    manifest = directory.read_manifest()
    directory.write_manifest(
        replace(manifest, config_json={**manifest.config_json, "output_root": str(folder / "run")})
    )
    before = directory.kernel_launches.read_bytes()
    for runner in made.glob("stand_in_*"):
        runner.write_text(f"#!/bin/sh\nexit 9\n{runner.read_text()}")
    try:
        for flags in (["--resume"], ["--analysis-only"]):
            kit(PIPELINE, "--config", folder / "config.json", *flags).ok()
    finally:
        for runner in made.glob("stand_in_*"):
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


# ---------------------------------------------------------------- integrity


def errors(directory: RunDirectory) -> list[str]:
    manifest = directory.read_manifest()
    return [f.message for f in check_kernel_launches(directory, manifest, manifest.config) if f.level == ERROR]


def edit_line(directory: RunDirectory, number: int, **changes: object) -> None:
    lines = directory.kernel_launches.read_text().splitlines()
    lines[number] = json.dumps(json.loads(lines[number]) | changes)
    rewrite(directory, lines)


def rewrite(directory: RunDirectory, lines: list[str]) -> None:
    """Write the list anew with its digest, as somebody would who wants to hide it."""
    directory.kernel_launches.write_text("".join(f"{line}\n" for line in lines))
    directory.write_manifest(
        replace(directory.read_manifest(), kernel_launches_sha256=sha256(directory.kernel_launches))
    )


def lines_of(directory: RunDirectory) -> list[str]:
    return directory.kernel_launches.read_text().splitlines()


CORRUPTIONS: dict[str, tuple[Callable[[RunDirectory], object], str]] = {
    "log changed": (lambda r: r.raw("log_on", 1, 0, 0, ".log").open("a").write("x"), "is not what its launch left"),
    "trace of the other side": (
        lambda r: shutil.copy(r.raw("log_off", 1, 0, 0, ".etdump"), r.raw("log_on", 1, 0, 0, ".etdump")),
        "log_on_t1_p0.etdump is not what its launch left",
    ),
    "trace missing": (lambda r: r.raw("log_off", 1, 0, 0, ".etdump").unlink(), "log_off_t1_p0.etdump is missing"),
    "foreign record": (
        lambda r: r.raw("log_on", 2, 0, 0, ".kernels").write_bytes(b"SMEKERN1"),
        "was left by no launch",
    ),
    "list missing": (lambda r: r.kernel_launches.unlink(), "kernel_launches.jsonl is missing or was edited"),
    "list edited": (
        lambda r: r.kernel_launches.write_text(
            r.kernel_launches.read_text().replace('"exit_code": 0', '"exit_code": 1')
        ),
        "missing or was edited after the run",
    ),
    "launch removed": (lambda r: rewrite(r, lines_of(r)[:1]), "log_off recorded no kernels at 1 threads"),
    "launch twice": (lambda r: rewrite(r, [*lines_of(r), lines_of(r)[0]]), "is recorded 2 times"),
    "launch of another mode": (lambda r: edit_line(r, 0, mode="kernels"), "was never planned"),
    "launch of another experiment": (lambda r: edit_line(r, 0, experiment="log_of"), "was never planned"),
    "features switched off": (
        lambda r: edit_line(r, 0, masked_cpu_features=["sme2"]),
        "with other features switched off",
    ),
    "file left out of the list": (lambda r: edit_line(r, 0, files={}), "log_on_t1_p0.log is missing"),
    "no JSON": (lambda r: rewrite(r, ["{}}", *lines_of(r)]), "a line is not a launch"),
}


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_what_was_changed_after_a_run_is_found(name: str, run: RunDirectory) -> None:
    assert errors(run) == []
    spoil, told = CORRUPTIONS[name]
    spoil(run)
    assert any(told in message for message in errors(run)), errors(run)


def test_the_command_tells_of_kernel_launches(run: RunDirectory) -> None:
    run.raw("log_on", 1, 0, 0, ".log").open("a").write("x")
    said = kit("scripts/validate_results.py", "--results", run.root)
    assert said.status == 2 and re.search(
        r"error +kernel launches +\S+log_on_t1_p0.log is not what its launch left", said.stdout
    )


@given(
    st.lists(
        st.one_of(
            st.binary(max_size=40),
            st.builds(
                lambda value: json.dumps(value).encode(),
                st.recursive(
                    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
                    lambda inner: (
                        st.lists(inner, max_size=3)
                        | st.dictionaries(
                            st.sampled_from(["experiment", "mode", "threads", "files", "argv", "failed", "x"]),
                            inner,
                            max_size=5,
                        )
                    ),
                    max_leaves=8,
                ),
            ),
        ),
        max_size=4,
    )
)
@settings(max_examples=200, deadline=None)
def test_any_list_of_launches_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, lines: list[bytes]) -> None:
    directory = RunDirectory(tmp_path_factory.mktemp("fuzz"))
    directory.kernel_launches.write_bytes(b"\n".join(lines))
    try:
        standing(read_kernel_launches(directory))
    except UserError as problem:
        assert "\n" not in str(problem)


# ---------------------------------------------------------------- what people read


def test_the_report_says_what_registered_means(made: Path) -> None:
    page = parse_page(made / "run/report.html")
    markdown = (made / "run/report.md").read_text()
    for text in (" ".join(text_of(page).split()), markdown):
        assert "43 of 54 matrix layers, 87 % of multiply-adds, ran with element types" in text
        assert "It is a candidate, not a call" in text and "once for the whole process" in text
        assert "a few tables are not logged" in text and "Kernels differ in 2 of 11 kinds." in text
        assert "xnn_pf32_gemm_minmax_ukernel_32x32__neonsme2" in text and "SME2 off" not in text
    assert "| SME2 | 3 | 0 | 0 | 0 |" in markdown
    check_numbers(made / "run", numbers_of(page))


def test_the_report_works_in_a_browser(made: Path, open_page) -> None:
    for width in (1280, 390):
        for scheme in ("light", "dark"):
            with open_page(made / "run/report.html", width, scheme) as page:
                assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
                assert page.locator("#kernels .family-sme2").count() == 3
                assert page.locator("nav a[href='#kernels']").is_visible()
                assert accessibility_problems(page) == []


def test_a_run_without_times_has_a_report_of_kernels_alone(exported, made: Path, tmp_path: Path) -> None:
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
    said = kit("scripts/compare_runs.py", "--baseline", directory.root, "--candidate", made / "run").error_line()
    assert "the run recorded kernels and measured no times" in said


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
