# SPDX-License-Identifier: Apache-2.0
"""The adapter for ExecuTorch's own `executor_runner`, built from source.

It has no warm-up flag, no mask and one phase: `warmup + runs` executions in one traced
process, of which the first ones are dropped. So its latencies include the tracer, and on
and off come from two builds (a ``runner_path`` per experiment), not from masking.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from model_profiling.errors import MeasurementError, UserError
from model_profiling.files import sha256
from model_profiling.pipeline.program.signature import read_signature
from model_profiling.pipeline.runners import LaunchMeasurement, LaunchRequest, OutputFile
from model_profiling.pipeline.runners.source.records import find_built
from model_profiling.pipeline.runners.source.variants import ALL
from model_profiling.processes import ChildResult

_ITERATION = re.compile(r"executorch:executor_runner\.cpp:\d+\] Iteration (\d+) of (\d+): (\d+\.\d+) ms")
_LOADED = re.compile(r"executorch:executor_runner\.cpp:\d+\] Model loaded in (\d+\.\d+) ms")
_THREADS = re.compile(r"executorch:threadpool\.cpp:\d+\] Resetting threadpool to (\d+) threads")
#: `E` and `F` are the runtime's levels for errors; gflags writes `ERROR:`.
_COMPLAINT = re.compile(r"^(?:[EF] [\d:.]+ executorch:[\w.]+:\d+\]|ERROR:) (.+)$", re.MULTILINE)
_NS_PER_MS = 1_000_000

#: It formats its output files' names into a buffer of this size.
_LONGEST_OUTPUT_PATH = 254


@dataclass(frozen=True)
class RunnerLog:
    """What a log of `executor_runner` says; times in nanoseconds, `complaints` as printed."""

    iterations_ns: tuple[int, ...]
    load_ns: int | None
    threads: int | None
    complaints: tuple[str, ...]


@dataclass(frozen=True)
class ExecutorRunner:
    """Runs an upstream `executor_runner`; see `Runner` for what each method promises."""

    path: Path
    name: str = "executor_runner"

    @classmethod
    def at(cls, path: Path) -> ExecutorRunner:
        """Return the runner at `path`; UserError when there is no program."""
        if not path.is_file():
            raise UserError("the runner does not exist", f"at {path} (runner_path)", _how_to_build(path))
        if not os.access(path, os.X_OK):
            raise UserError("the runner is not executable", f"at {path} (runner_path)", f"chmod +x {path}")
        return cls(path.resolve())

    def describe(self) -> dict[str, object]:
        built = find_built(self.path)
        known = {"build": built.record.to_json()} if built else {}
        return {"name": self.name, "path": str(self.path), "sha256": sha256(self.path), **known}

    def command(self, request: LaunchRequest) -> tuple[list[str], dict[str, str]]:
        if request.disable_cpu_features:
            raise UserError(
                "executor_runner cannot clear CPU features",
                "in disable_cpu_features",
                "leave it out and give each experiment a runner_path of its own build",
            )
        if request.input_shapes:
            raise UserError(
                "executor_runner takes no shapes of inputs, only those that a program is planned for",
                "in input_shapes",
                "use the native or the python runner, or a program exported for this shape alone",
            )
        if any("," in str(path) for path in request.inputs):
            raise UserError(
                "executor_runner separates its inputs by commas",
                f"in {request.inputs[0].parent}",
                "choose a folder without a comma in its path",
            )
        base = _output_base(request)
        if len(f"{base}-999.bin") > _LONGEST_OUTPUT_PATH:
            raise UserError("executor_runner cuts long output paths", f"in {base}", "choose a shorter output_root")
        flags = [
            f"--model_path={request.model}",
            f"--num_executions={request.warmup + request.runs}",
            f"--cpu_threads={request.threads}",
            f"--etdump_path={request.etdump}",
            f"--output_file={base}",
            "--print_output=none",
        ]
        if request.data is not None:
            flags.append(f"--data_path={request.data}")
        if request.method is not None:
            flags.append(f"--method_name={request.method}")
        if request.inputs:
            flags.append(f"--inputs={','.join(str(path) for path in request.inputs)}")
        return [str(self.path), *flags, *request.extra_args], {}

    def read(self, request: LaunchRequest, child: ChildResult) -> LaunchMeasurement:
        text = request.log.read_text(encoding="utf-8", errors="replace") if child.log else child.output
        log = parse_log(text)
        if not child.ok:
            said = f" ({'; '.join(log.complaints)})" if log.complaints else ""
            raise MeasurementError(
                f"running {request.model}: {self.path.name} {child.outcome()}{said}; see {request.log}"
            )
        wanted = request.warmup + request.runs
        if len(log.iterations_ns) != wanted:
            raise MeasurementError(
                f"{self.path.name} printed {len(log.iterations_ns)} of {wanted} Iteration lines; see {request.log}"
                + ("" if log.iterations_ns else " (was it built with -DEXECUTORCH_ENABLE_LOGGING=ON?)")
            )
        latency = log.iterations_ns[request.warmup :]
        return LaunchMeasurement(
            threads=log.threads or request.threads,
            load_ns=log.load_ns,
            warmup_ns=log.iterations_ns[: request.warmup],
            latency_ns=latency,
            traced_ns=latency,  # the very same executions
            peak_rss_bytes=None,
            masked_cpu_features=(),
            active_cpu_features=(),
            outputs=_outputs(request),
            traced_warmup=request.warmup,
        )


def _how_to_build(path: Path) -> str:
    known = path.parent.name in {variant.name for variant in ALL}
    return (
        f"bash model_profiling/scripts/build_runners.sh --source {path.parent.name}"
        if known
        else "build it or correct the path"
    )


def parse_log(text: str) -> RunnerLog:
    """Return what a log says, however it ended.

    Raises
    ------
    MeasurementError : its Iteration lines contradict each other.
    """
    iterations = [(int(i), int(n), float(ms)) for i, n, ms in _ITERATION.findall(text)]
    if [i for i, _, _ in iterations] != list(range(1, len(iterations) + 1)) or len({n for _, n, _ in iterations}) > 1:
        raise MeasurementError("the runner's Iteration lines are out of order: more than one process wrote the log")
    loaded, threads = _LOADED.search(text), _THREADS.findall(text)
    return RunnerLog(
        iterations_ns=tuple(round(ms * _NS_PER_MS) for _, _, ms in iterations),
        load_ns=round(float(loaded[1]) * _NS_PER_MS) if loaded else None,
        threads=int(threads[-1]) if threads else None,
        complaints=tuple(_COMPLAINT.findall(text)),
    )


def _output_base(request: LaunchRequest) -> Path:
    """Return the start of the output files' names: beside `outputs_dir`, as this runner makes no folder."""
    return request.outputs_dir


def _outputs(request: LaunchRequest) -> tuple[OutputFile, ...]:
    specs = read_signature(request.model, request.method).outputs
    base = _output_base(request)
    files = [OutputFile(Path(f"{base}-{i}.bin"), spec.dtype, spec.shape) for i, spec in enumerate(specs)]
    return tuple(output for output in files if output.path.is_file())
