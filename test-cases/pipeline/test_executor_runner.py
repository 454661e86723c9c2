# SPDX-License-Identifier: Apache-2.0
"""The adapter for upstream's `executor_runner`, on logs that real ones wrote."""

from __future__ import annotations

import re
import stat
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.kit import FIXTURES

from model_profiling.errors import MeasurementError, UserError
from model_profiling.pipeline.runners import LaunchRequest, choose_runner
from model_profiling.pipeline.runners.executor_runner import ExecutorRunner, parse_log
from model_profiling.processes import ChildResult

RECORDED = FIXTURES / "executor_runner"
ERRORS = RECORDED / "host-cli-errors"
RUNS = sorted(p for p in RECORDED.glob("*/*.log") if p.parent != ERRORS)


@pytest.fixture
def request_(request_for: Callable[..., LaunchRequest]) -> LaunchRequest:
    return request_for(warmup=1, runs=2, traced_runs=10)


@pytest.fixture
def runner(tmp_path: Path) -> ExecutorRunner:
    """A runner that the adapter accepts; nothing here starts it."""
    path = tmp_path / "executor_runner"
    path.write_text("#!/bin/sh\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return choose_runner("auto", str(path))


def ended(log: Path, request: LaunchRequest, exit_code: int | None = 0, signal: str | None = None) -> ChildResult:
    request.log.write_bytes(log.read_bytes() if log else b"")
    return ChildResult(("executor_runner",), exit_code, signal, 1.0, False, "", request.log)


@pytest.mark.parametrize("path", RUNS, ids=lambda p: f"{p.parent.name}/{p.name}")
def test_every_recorded_run_is_read(path: Path) -> None:
    text = path.read_text()
    log = parse_log(text)
    count = int(re.search(r"executed successfully (\d+) time", text)[1])
    total = float(re.search(r"executed successfully \d+ time\(s\) in ([\d.]+) ms", text)[1])
    assert len(log.iterations_ns) == count >= 1
    assert sum(log.iterations_ns) == pytest.approx(total * 1e6, rel=1e-6)
    assert log.load_ns > 0 and log.complaints == () and log.threads in (None, 1)


def test_warmup_is_dropped_from_both_numbers_and_trace(request_: LaunchRequest, runner: ExecutorRunner) -> None:
    log = RECORDED / "host-x86_64-release-xnnlog4" / "mv3_fp32.stderr.log"
    every = parse_log(log.read_text()).iterations_ns
    measurement = runner.read(request_, ended(log, request_))
    assert (measurement.warmup_ns, measurement.latency_ns) == (every[:1], every[1:])
    assert measurement.traced_ns == measurement.latency_ns
    assert measurement.traced_warmup == 1
    assert measurement.peak_rss_bytes is None and measurement.masked_cpu_features == ()


def test_outputs_take_their_types_from_the_model(request_: LaunchRequest, runner: ExecutorRunner) -> None:
    written = request_.outputs_dir.with_name("outputs-0.bin")
    written.write_bytes(b"\0" * 40)
    log = RECORDED / "host-x86_64-release-xnnlog4" / "m.stderr.log"
    (output,) = runner.read(request_, ended(log, request_)).outputs
    assert output.path == written and output.dtype == "float32"


@pytest.mark.parametrize(
    "name, signal, told",
    [
        ("no-such-model", "SIGABRT", "Failed to open nope.pte: No such file or directory"),
        ("inputs-short", "SIGABRT", "input size (100) and tensor size (12288) mismatch!"),
        ("etdump-bad-dir", "SIGABRT", "Failed to open ETDump file at /nonexistent/x.etdump."),
        ("unknown-flag", None, "unknown command line flag 'warmup'"),
        ("positional-arg", None, "Extra commandline args: extra"),
    ],
)
def test_recorded_errors_are_passed_on(
    name: str, signal: str | None, told: str, request_: LaunchRequest, runner: ExecutorRunner
) -> None:
    child = ended(ERRORS / f"{name}.stderr.log", request_, None if signal else 1, signal)
    with pytest.raises(MeasurementError) as failed:
        runner.read(request_, child)
    message = str(failed.value)
    assert told in message and str(request_.log) in message and "\n" not in message
    assert (signal or "status 1") in message


@pytest.mark.parametrize("name, found", [("num_exec_0", 0), ("threads-0", 1), ("default-etdump", 1)])
def test_fewer_executions_than_asked_for_fail(
    name: str, found: int, request_: LaunchRequest, runner: ExecutorRunner
) -> None:
    with pytest.raises(MeasurementError, match=f"printed {found} of 3 Iteration lines"):
        runner.read(request_, ended(ERRORS / f"{name}.stderr.log", request_))


def test_a_build_without_logging_is_named(request_: LaunchRequest, runner: ExecutorRunner) -> None:
    with pytest.raises(MeasurementError, match="EXECUTORCH_ENABLE_LOGGING"):
        runner.read(request_, ended(None, request_))


def test_two_logs_in_one_are_refused() -> None:
    text = (RECORDED / "host-x86_64-release-xnnlog4" / "m.stderr.log").read_text()
    with pytest.raises(MeasurementError, match="more than one process"):
        parse_log(text + text)


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    assert parse_log(text).iterations_ns == ()


def test_only_flags_that_it_has_are_used(request_: LaunchRequest, runner: ExecutorRunner) -> None:
    known = set(re.findall(r"^    -(\w+) ", (RECORDED / "executor_runner_help.txt").read_text(), re.MULTILINE))
    argv, env = runner.command(replace(request_, inputs=(Path("a.bin"), Path("b.bin"))))
    used = {re.match(r"--(\w+)=", word)[1] for word in argv[1:]}
    assert used <= known and env == {}
    assert "--num_executions=3" in argv and "--inputs=a.bin,b.bin" in argv and "--cpu_threads=1" in argv


def test_what_it_cannot_do_is_refused(request_: LaunchRequest, runner: ExecutorRunner) -> None:
    for change, told in (
        ({"disable_cpu_features": ("sme2",)}, "cannot clear CPU features"),
        ({"inputs": (Path("a,b/x.bin"),)}, "by commas"),
        ({"outputs_dir": Path("/x" * 130)}, "long output paths"),
    ):
        with pytest.raises(UserError, match=told):
            runner.command(replace(request_, **change))


def test_runner_paths_are_checked(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        choose_runner("auto", str(tmp_path / "none"))
    plain = tmp_path / "plain"
    plain.write_text("")
    with pytest.raises(UserError, match="chmod"):
        choose_runner("auto", str(plain))


def test_describe_names_the_binary(runner: ExecutorRunner) -> None:
    about = runner.describe()
    assert about["name"] == "executor_runner" and len(about["sha256"]) == 64


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
