# SPDX-License-Identifier: Apache-2.0
"""What runners refuse, and what becomes of a launch whose program fails."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.launches import BOTH, error_line, launch, measured, output_bytes

from model_profiling.errors import MeasurementError
from model_profiling.pipeline.runners import LaunchRequest
from model_profiling.processes import ChildResult, run_child

pytestmark = pytest.mark.slow


def broken(kind: str, toy: Path, folder: Path) -> Path:
    whole = toy.read_bytes()
    path = folder / f"{kind}.pte"
    if kind == "folder":
        path.mkdir()
    elif kind != "missing":
        path.write_bytes(
            {
                "empty": b"",
                "head": whole[:3],
                "truncated": whole[:-1],
                "half": whole[: len(whole) // 2],
                "random": np.random.default_rng(1).bytes(5000),
                "text": b"not a model\n" * 9,
            }[kind]
        )
    return path


@pytest.mark.parametrize("name", BOTH)
@pytest.mark.parametrize("kind", ["missing", "folder", "empty", "head", "truncated", "half", "random", "text"])
def test_broken_models_are_one_line(name: str, kind: str, toy: Path, runners, request_for, tmp_path: Path) -> None:
    request = request_for(model=broken(kind, toy, tmp_path))
    assert str(request.model) in error_line(launch(runners[name], request))
    assert not request.result.exists() and not request.etdump.exists()


@pytest.mark.parametrize("name", BOTH)
@pytest.mark.parametrize(
    "flags, told",
    [
        (["--threads", "0"], "--threads"),
        (["--threads", "many"], "--threads"),
        (["--runs", "-1"], "--runs"),
        (["--warmup", "1.5"], "--warmup"),
        (["--modle", "x"], "did you mean --model?"),
        (["--disable-cpu-features", "warp_drive"], "no feature warp_drive"),
        (["--input", "/nonexistent"], "/nonexistent"),
        (["--result", "/nonexistent/result.json"], "/nonexistent"),
        (["--etdump", "/nonexistent/t.etdump"], "/nonexistent"),
        (["--outputs-dir", "/dev/null/outputs"], "/dev/null"),
    ],
)
def test_bad_flags_are_one_line(name: str, flags: list[str], told: str, runners, request_for) -> None:
    request = request_for(extra_args=tuple(flags))
    assert told in error_line(launch(runners[name], request))
    assert not request.result.exists()


@pytest.mark.parametrize("name", BOTH)
def test_inputs_of_the_wrong_size_or_number_are_one_line(name: str, runners, request_for, tmp_path: Path) -> None:
    short = tmp_path / "short.bin"
    short.write_bytes(b"\0" * 7)
    assert "has 7 bytes" in error_line(launch(runners[name], request_for(inputs=(short,))))
    assert "2 input files for a model of 1" in error_line(
        launch(runners[name], request_for("two", inputs=(short, short)))
    )


@pytest.mark.parametrize("name", BOTH)
def test_awkward_paths_work(name: str, toy: Path, runners, request_for) -> None:
    request = request_for("a b;$(x) 'q\" <script> ünï")
    model = request.result.parent / "m o'd\"el;<script>.pte"
    shutil.copy(toy, model)
    measurement = measured(runners[name], replace(request, model=model))
    assert len(output_bytes(measurement)) == 1


def test_help_of_the_native_runner_names_every_flag_the_kit_uses(runners, request_for) -> None:
    argv, _ = runners["native"].command(request_for(inputs=(Path("x"),), disable_cpu_features=("sme",)))
    help_text = subprocess.run([argv[0], "--help"], capture_output=True, text=True, check=True).stdout
    assert all(flag in help_text for flag in argv if flag.startswith("--"))


def failed(exit_code: int | None, signal: str | None, request: LaunchRequest) -> ChildResult:
    return ChildResult(("sme_runner",), exit_code, signal, 1.0, False, "", request.log)


def test_death_by_a_signal_is_named(runners, request_for) -> None:
    request = request_for(runs=10_000_000, timeout_s=60)
    argv, _ = runners["native"].command(request)
    killed = run_child(
        ["bash", "-c", 'sleep 1 & "$@" & kill -SEGV $!; wait $!; exec kill -SEGV $$', "x", *argv],
        timeout_s=60,
        log=request.log,
    )
    with pytest.raises(MeasurementError, match="SIGSEGV") as died:
        runners["native"].read(request, killed)
    assert str(request.log) in str(died.value)


def test_a_launch_over_its_time_limit_is_ended(runners, request_for) -> None:
    request = request_for(runs=10_000_000, timeout_s=1)
    with pytest.raises(MeasurementError, match="longer than its limit"):
        measured(runners["native"], request)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"schema_version": 2}', "null"])
def test_an_unusable_result_is_a_failed_measurement(text: str, runners, request_for) -> None:
    request = request_for()
    request.result.write_text(text)
    with pytest.raises(MeasurementError, match="no usable result"):
        runners["native"].read(request, failed(0, None, request))


def test_too_few_executions_are_a_failed_measurement(runners, request_for) -> None:
    request = request_for()
    child = launch(runners["native"], request)
    with pytest.raises(MeasurementError, match="4 and 3 executions instead of 5 and 3"):
        runners["native"].read(replace(request, runs=5), child)


def test_the_launchs_own_words_are_passed_on(runners, request_for) -> None:
    request = request_for(model=Path("/nonexistent.pte"))
    with pytest.raises(MeasurementError, match="cannot be read") as told:
        measured(runners["native"], request)
    assert str(request.log) in str(told.value)


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
