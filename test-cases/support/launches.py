# SPDX-License-Identifier: Apache-2.0
"""One launch of a runner, and what it left."""

from __future__ import annotations

from model_profiling.pipeline.cpu import features as cpu_features
from model_profiling.pipeline.runners import LaunchMeasurement, LaunchRequest, Runner
from model_profiling.processes import ChildResult, run_child

BOTH = ("native", "python")
PAIR = cpu_features.resolve("auto", cpu_features.detect())


def launch(runner: Runner, request: LaunchRequest) -> ChildResult:
    argv, env = runner.command(request)
    return run_child(argv, timeout_s=request.timeout_s, env=env, log=request.log)


def measured(runner: Runner, request: LaunchRequest) -> LaunchMeasurement:
    return runner.read(request, launch(runner, request))


def output_bytes(measurement: LaunchMeasurement) -> list[bytes]:
    return [output.path.read_bytes() for output in measurement.outputs]


def error_line(child: ChildResult, status: int = 2) -> str:
    """Return the one error line of a failed child, having checked status and traceback."""
    text = child.log.read_text() if child.log else child.output
    assert child.exit_code == status, text
    errors = [line for line in text.splitlines() if line.startswith("error:")]
    assert len(errors) == 1 and "Traceback" not in text, text
    return errors[0]
