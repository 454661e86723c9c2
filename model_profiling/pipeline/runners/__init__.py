# SPDX-License-Identifier: Apache-2.0
"""Runners: programs that execute a model in one fresh process and report what they measured.

A runner turns a `LaunchRequest` into a command line, and what the child left behind into a
`LaunchMeasurement`. It starts nothing itself, so that the same runner serves this host, an
emulator or a device.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from model_profiling.errors import UserError, nearest
from model_profiling.pipeline.measured_programs import ProgramFiles
from model_profiling.processes import ChildResult

RUNNER_KINDS = ("auto", "native", "python")


@dataclass(frozen=True)
class LaunchRequest:
    """One process to start.

    `inputs` are raw little-endian tensor files in C order, one per model input; without
    any, the runner makes its own from `seed`. `warmup` is a least number of executions,
    `threads` is 1 or more, `disable_cpu_features` holds names as in `cpu_features`.
    `kernel_record` asks for a record of every kernel call, which only a native runner on
    Arm Linux can make.
    `method` is the one to execute, None for the program's only one; `input_shapes` has each input's shape where the
    program leaves some open, nothing else; `data` is the `.ptd` with weights that it does not hold.
    With `take_turns` the process executes when it is told to (`lockstep.conductor`): `runs` then says
    nothing, and `traced_runs` only whether it can be told to trace.
    """

    model: Path
    inputs: tuple[Path, ...]
    warmup: int
    runs: int
    traced_runs: int
    threads: int
    disable_cpu_features: tuple[str, ...]
    etdump: Path
    result: Path
    outputs_dir: Path
    log: Path
    timeout_s: float
    extra_args: tuple[str, ...] = ()
    seed: int = 0
    kernel_record: Path | None = None
    take_turns: bool = False
    method: str | None = None
    input_shapes: tuple[tuple[int, ...], ...] = ()
    data: Path | None = None

    def at_home(self, program: ProgramFiles, work: Path) -> LaunchRequest:
        """Return the same request with this host's paths, for reading what was collected into `work`."""
        record = self.kernel_record
        return replace(
            self,
            model=program.model,
            inputs=program.inputs,
            data=program.data,
            etdump=work / self.etdump.name,
            result=work / self.result.name,
            outputs_dir=work / self.outputs_dir.name,
            kernel_record=None if record is None else work / record.name,
        )


@dataclass(frozen=True)
class OutputFile:
    """One output of the model: raw little-endian bytes in C order; `dtype` is numpy's name."""

    path: Path
    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class LaunchMeasurement:
    """What a runner reports of one process; times in nanoseconds.

    `threads` is the count the runtime resolved. `latency_ns` are untraced executions
    after warm-up, `traced_ns` those recorded in the ETDump. `active_cpu_features` is what
    XNNPACK saw. `traced_warmup` is how many leading Execute blocks of the ETDump to drop.
    """

    threads: int
    load_ns: int | None
    warmup_ns: tuple[int, ...]
    latency_ns: tuple[int, ...]
    traced_ns: tuple[int, ...]
    peak_rss_bytes: int | None
    masked_cpu_features: tuple[str, ...]
    active_cpu_features: tuple[str, ...]
    outputs: tuple[OutputFile, ...]
    traced_warmup: int


class Runner(Protocol):
    """What the orchestrator needs of a runner; `name` is native, python or executor_runner."""

    @property
    def name(self) -> str: ...

    def describe(self) -> dict[str, object]:
        """Return the runner's identity for the manifest: path, SHA-256, versions, build."""
        ...

    def command(self, request: LaunchRequest) -> tuple[list[str], dict[str, str]]:
        """Return the command line and the variables to add to the environment."""
        ...

    def read(self, request: LaunchRequest, child: ChildResult) -> LaunchMeasurement:
        """Return what the child measured.

        Raises
        ------
        MeasurementError : it failed, or what it left behind cannot be used.
        """
        ...


def choose_runner(kind: str, runner_path: str | None) -> Runner:
    """Return the runner a config asks for, building the native one when it is not there yet.

    Parameters
    ----------
    kind : ``auto`` (native where a C++ compiler is there, else python), ``native`` or ``python``.
    runner_path : a build to use instead of either: an upstream ``executor_runner``, or the native
        runner (``sme_runner``) as ``build_runners.sh`` leaves it.

    Raises
    ------
    UserError : an unknown kind, no such file, or a native runner that cannot be built.
    """
    # Each runner is imported when chosen: none should pay for another's imports.
    if runner_path is not None:
        return _runner_at(Path(runner_path))
    if kind not in RUNNER_KINDS:
        raise UserError(
            f"unknown runner {kind}{nearest(kind, RUNNER_KINDS)}",
            "in runner",
            f"write one of {', '.join(RUNNER_KINDS)}",
        )
    if kind in ("auto", "native") and (native := _native_runner(kind == "native")):
        return native
    from model_profiling.pipeline.runners.python import PythonRunner

    return PythonRunner()


def _runner_at(path: Path) -> Runner:
    from model_profiling.pipeline.runners.executor_runner import ExecutorRunner
    from model_profiling.pipeline.runners.native import NativeRunner
    from model_profiling.pipeline.runners.native_build import BINARY
    from model_profiling.pipeline.runners.source.native import native_at

    program = ExecutorRunner.at(path)  # which says what lacks of a program
    return NativeRunner(native_at(program.path)) if path.name == BINARY else program


def _native_runner(required: bool) -> Runner | None:
    """Return the native runner, or None where it is not `required` and cannot be built."""
    from model_profiling.pipeline.runners.native import NativeRunner
    from model_profiling.pipeline.runners.native_build import build_native, can_build

    if not required and not can_build():
        return None
    try:
        return NativeRunner(build_native())
    except UserError as error:
        if required:
            raise
        # A compiler that is there and fails is worth a word: launches of the other runner are slower.
        print(f"note: {error}; using the python runner", file=sys.stderr)
        return None
