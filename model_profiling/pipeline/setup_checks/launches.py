# SPDX-License-Identifier: Apache-2.0
"""Whether the runners really run: each loads a small model and executes it, traced and not."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from model_profiling import PACKAGE_DIR
from model_profiling.errors import KitError, UserError
from model_profiling.findings import ERROR, Finding, error, ok, warning
from model_profiling.pipeline.runners import LaunchRequest, Runner, choose_runner
from model_profiling.processes import run_child

_LIMIT_S = 300.0  # of the export and of a launch of the smallest model
_PROBE_MODEL = "toy_cnn"  # the kit's smallest
_NS_PER_MS = 1e6
_FIXES = {
    "python": "run model_profiling/scripts/setup_repo.sh again",
    "native": "run model_profiling/scripts/build_runners.sh, which builds a damaged one anew",
}


def check_model(model: Path) -> list[Finding]:
    """Say whether `model` is a .pte that ExecuTorch can load, and what its inputs are."""
    from model_profiling.pipeline.program.signature import read_signature

    try:
        signature = read_signature(model)
    except UserError as problem:
        return [error("model", f"{problem.what}, {problem.where}", problem.fix)]
    shapes = ", ".join(f"{list(spec.shape)} {spec.dtype}" for spec in signature.inputs)
    return [ok("model", f"{model}: inputs {shapes}")]


def check_runners(model: Path, with_export: bool) -> list[Finding]:
    """Launch `model` once with each runner that this set-up should have.

    The Python runner needs torch, so a set-up without export has the native one alone;
    with it, the native runner may be missing where there is no C++ compiler.
    """
    return [*([_launch("python", model)] if with_export else []), _native(model, with_export)]


def _native(model: Path, with_export: bool) -> Finding:
    from model_profiling.pipeline.runners.native_build import can_build

    finding = _launch("native", model)
    if finding.level == ERROR and with_export and not can_build():
        return warning(finding.check, f"{finding.message}; the python runner is used instead", finding.fix)
    return finding


def _launch(kind: str, model: Path) -> Finding:
    try:
        runner = choose_runner(kind, None)
    except UserError as problem:
        return error(f"{kind} runner", f"{problem.what}, {problem.where}", problem.fix)
    return try_runner(runner, model)


def try_runner(runner: Runner, model: Path) -> Finding:
    """Launch `model` once, untraced and traced, and say how that went."""
    check = f"{runner.name} runner"
    with tempfile.TemporaryDirectory() as folder:
        request = _request(model, Path(folder))
        argv, env = runner.command(request)
        try:
            child = run_child(argv, env=env, timeout_s=request.timeout_s, log=request.log)
            measured = runner.read(request, child)
        except KitError as problem:  # the program cannot be started, or did not do its work
            return error(check, f"{problem} ({_last_line(request.log)})", _FIXES[runner.name])
        if not request.etdump.is_file() or not request.etdump.stat().st_size:
            return error(check, "it wrote no trace", _FIXES[runner.name])
    return ok(check, f"runs {model.name}: {measured.latency_ns[-1] / _NS_PER_MS:.2f} ms")


def _request(model: Path, folder: Path) -> LaunchRequest:
    outputs = folder / "outputs"
    outputs.mkdir()
    return LaunchRequest(
        model=model,
        inputs=(),
        warmup=1,
        runs=1,
        traced_runs=1,
        threads=1,
        disable_cpu_features=(),
        etdump=folder / "probe.etdump",
        result=folder / "result.json",
        outputs_dir=outputs,
        log=folder / "log",
        timeout_s=_LIMIT_S,
    )


def _last_line(log: Path) -> str:
    text = log.read_text(encoding="utf-8", errors="replace") if log.is_file() else ""
    return (text.strip().splitlines() or ["its log is empty"])[-1]


@contextmanager
def probe_model() -> Iterator[Path]:
    """Export the kit's smallest model into a folder that is removed afterwards.

    Raises
    ------
    MeasurementError : the export fails, which is a finding about the set-up too.
    """
    with tempfile.TemporaryDirectory() as folder:
        run_child(
            [
                sys.executable,
                PACKAGE_DIR / "export" / "export_model.py",
                "--model",
                _PROBE_MODEL,
                "--dtype",
                "fp32",
                "--outdir",
                folder,
            ],
            timeout_s=_LIMIT_S,
        ).require_ok(f"exporting {_PROBE_MODEL}")
        yield next(Path(folder).glob("*.pte"))
