# SPDX-License-Identifier: Apache-2.0
"""The result file that the kit's own runners write, native and python alike."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from model_profiling.errors import MeasurementError
from model_profiling.pipeline.program.workload import shape_word
from model_profiling.pipeline.runners import LaunchMeasurement, LaunchRequest, OutputFile
from model_profiling.processes import ChildResult

RESULT_SCHEMA_VERSION = 1

#: Adaptive warm-up, the same in both runners (runner/warmup.h): at least the given number
#: of executions, then blocks until the medians of three successive ones agree within 2 %.
WARMUP_BLOCK = 3
WARMUP_BLOCKS_COMPARED = 3
WARMUP_AGREEMENT = 0.02
#: Where the machine is too noisy to ever agree, warm-up ends here.
DEFAULT_MAX_WARMUP = 30


def own_runner_flags(request: LaunchRequest) -> list[str]:
    """Return the flags that the native and the python runner share, for `request`."""
    flags = ["--model", str(request.model)]
    for path in request.inputs:
        flags += ["--input", str(path)]
    if request.data is not None:
        flags += ["--data", str(request.data)]
    if request.method is not None:
        flags += ["--method", request.method]
    for shape in request.input_shapes:
        flags += ["--input-shape", shape_word(shape)]
    flags += [
        "--warmup",
        str(request.warmup),
        # With nothing to time there is nothing to settle for.
        "--max-warmup",
        str(max(request.warmup, DEFAULT_MAX_WARMUP if request.runs else 0)),
        "--runs",
        str(request.runs),
        "--traced-runs",
        str(request.traced_runs),
        "--threads",
        str(request.threads),
        "--seed",
        str(request.seed),
        "--etdump",
        str(request.etdump),
        "--result",
        str(request.result),
        "--outputs-dir",
        str(request.outputs_dir),
    ]
    if request.disable_cpu_features:
        flags += ["--disable-cpu-features", ",".join(request.disable_cpu_features)]
    if request.take_turns:
        flags.append("--take-turns")
    return flags + list(request.extra_args)


def read_own_result(request: LaunchRequest, child: ChildResult) -> LaunchMeasurement:
    """Return what a native or python runner wrote to ``request.result``.

    Raises
    ------
    MeasurementError : the child failed (its last line says why), or the file is
        missing, broken or does not hold as many executions as were asked for.
    """
    if not child.ok:
        raise MeasurementError(failure(request, child))
    try:
        result = json.loads(request.result.read_text(encoding="utf-8"))
        measurement = _measurement(result, request.outputs_dir)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise MeasurementError(f"the runner left no usable result ({error}), at {request.result}") from error
    counts = (len(measurement.latency_ns), len(measurement.traced_ns))
    if counts != (request.runs, request.traced_runs):
        raise MeasurementError(
            f"the runner measured {counts[0]} and {counts[1]} executions instead of "
            f"{request.runs} and {request.traced_runs}, in {request.result}"
        )
    return measurement


def failure(request: LaunchRequest, child: ChildResult) -> str:
    """Say in one line how a launch failed: outcome, the program's last words, the log."""
    words = last_line(child.log) if child.log else last_line_of(child.output)
    said = f" ({words.removeprefix(f'{request.model}: ')})" if words and not child.signal else ""
    return f"running {request.model}: {Path(child.argv[0]).name} {child.outcome()}{said}; see {request.log}"


def last_line(path: Path) -> str:
    """Return the last line of a log that is not blank, without a leading ``error: ``."""
    try:
        return last_line_of(path.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return ""


def last_line_of(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip().removeprefix("error: ") if lines else ""


def _measurement(result: dict[str, Any], outputs_dir: Path) -> LaunchMeasurement:
    if result["schema_version"] != RESULT_SCHEMA_VERSION:
        raise ValueError(f"schema version {result['schema_version']}, not {RESULT_SCHEMA_VERSION}")
    return LaunchMeasurement(
        threads=_count(result["threads"]),
        load_ns=_count(result["load_ns"]),
        warmup_ns=_counts(result["warmup_ns"]),
        latency_ns=_counts(result["latency_ns"]),
        traced_ns=_counts(result["traced_ns"]),
        peak_rss_bytes=None if result["peak_rss_bytes"] is None else _count(result["peak_rss_bytes"]),
        masked_cpu_features=tuple(map(str, result["masked_cpu_features"])),
        active_cpu_features=tuple(map(str, result["active_cpu_features"])),
        # Named with the folder that the runner saw, which may be a device's.
        outputs=tuple(
            OutputFile(outputs_dir / Path(o["file"]).name, str(o["dtype"]), _counts(o["shape"]))
            for o in result["outputs"]
        ),
        traced_warmup=_count(result["traced_warmup"]),
    )


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"{value!r} where a count belongs")
    return value


def _counts(values: object) -> tuple[int, ...]:
    if not isinstance(values, list):
        raise ValueError(f"{values!r} where a list belongs")
    return tuple(_count(value) for value in values)
