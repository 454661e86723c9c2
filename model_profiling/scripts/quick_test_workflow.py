# SPDX-License-Identifier: Apache-2.0
"""The quick test: every command of the kit once, as a user types it, on a small model."""

from __future__ import annotations

import itertools
import shutil
import sys
import time
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from model_profiling import PACKAGE_DIR
from model_profiling.console import say
from model_profiling.errors import MeasurementError, UserError
from model_profiling.files import make_folder, write_text
from model_profiling.models import registry
from model_profiling.pipeline.run_directory import RunDirectory
from model_profiling.processes import run_logged

DEFAULT_MODEL = "toy_cnn"
DEFAULT_FOLDER = Path("out_quick_test")
#: fp32 reaches the accelerated kernels of every CPU; in fp16 an x86-64 CPU has few of them.
DTYPE = "fp32"
_STEP_LIMIT_S = 1200.0
#: Marks a folder as a quick test's own, so that nothing else is ever replaced.
_MARK = ".quick_test"


@dataclass(frozen=True)
class Step:
    """One command: what it does in a few words, and its command line from the package folder."""

    label: str
    script: str
    arguments: tuple[str, ...]

    def argv(self) -> list[str]:
        return [sys.executable, str(PACKAGE_DIR / self.script), *self.arguments]


def run_quick_test(model: str, platform: str, keep: Path | None) -> None:
    """Export, validate, profile, analyze, report and validate again; print what came out.

    Parameters
    ----------
    keep : the folder that keeps everything; None for `DEFAULT_FOLDER`, whose former
        quick test is replaced.

    Raises
    ------
    KitError : a step failed; its own message and status, and where its output is.
    """
    started = time.monotonic()
    registry.find(model)  # an unknown name must not cost the former test's report
    folder = _prepare(keep)
    log = folder / "quick_test.log"
    log.unlink(missing_ok=True)
    say(f"Quick test of {model} in {folder}/")
    numbers = itertools.count(1)
    _run(
        next(numbers),
        Step(
            f"export {model} in {DTYPE} and compare it with PyTorch",
            "export/export_model.py",
            ("--model", model, "--dtype", DTYPE, "--outdir", str(folder / "artifacts")),
        ),
        log,
    )
    program = folder / "artifacts" / f"{model}_xnnpack_{DTYPE}.pte"
    for step in _steps(program, folder, platform):
        _run(next(numbers), step, log)
    _conclude(folder / "runs" / platform, time.monotonic() - started)


def _steps(program: Path, folder: Path, platform: str) -> tuple[Step, ...]:
    config, run = str(folder / "config.json"), str(folder / "runs" / platform)
    return (
        Step("check the set-up: packages, files, both runners", "scripts/validate_setup.py", ("--model", str(program))),
        Step(
            "write the experiment's configuration",
            "scripts/generate_config.py",
            ("--model", str(program), "--output", str(folder), "--platform", platform),
        ),
        Step("check the configuration", "scripts/validate_pipeline.py", ("--config", config)),
        Step(
            "launch in pairs, the CPU feature on and off; analyze; report",
            f"scripts/{platform}_pipeline.py",
            ("--config", config, "--quick"),
        ),
        Step("check the results", "scripts/validate_results.py", ("--results", run)),
    )


def _prepare(keep: Path | None) -> Path:
    """Make the folder for this test, replacing a former test's default folder."""
    folder = keep or DEFAULT_FOLDER
    if keep is None and folder.exists():
        if not (folder / _MARK).is_file():
            raise UserError(
                "it is there and no quick test made it",
                f"at {folder.resolve()}",
                "move it away or name a folder with --keep",
            )
        try:
            shutil.rmtree(folder)
        except OSError as problem:
            raise UserError(
                f"a former quick test cannot be replaced ({problem.strerror})",
                f"at {folder.resolve()}",
                "remove it or name a folder with --keep",
            ) from problem
    make_folder(folder)
    write_text(folder / _MARK, "")
    return folder


def _run(number: int, step: Step, log: Path) -> None:
    """Run one step, its output going to the log; raise its own error when it fails."""
    with _waiting(f"[{number}/6] {step.label}"):
        child, reason = run_logged(step.argv(), timeout_s=_STEP_LIMIT_S, log=log)
    if not child.ok:
        failure = MeasurementError(f"to {step.label} failed: {reason} (all of its output: {log})")
        if child.exit_code == UserError.exit_code:
            failure.exit_code = UserError.exit_code
        raise failure
    say(f"  [{number}/6] {step.label:<64} {child.duration_s:6.1f} s")


def _waiting(label: str) -> AbstractContextManager[object]:
    """Return a context that shows a moving sign beside `label` on a terminal."""
    from rich.console import Console
    from rich.markup import escape

    return Console().status(escape(label)) if sys.stdout.isatty() else Console(quiet=True)


def _conclude(run: Path, seconds: float) -> None:
    from model_profiling.report.generate import verdict_sentences

    say()
    for sentence in verdict_sentences(RunDirectory(run)):
        say(sentence)
    say()
    for name, what in (
        ("report.html", "the report"),
        ("report.md", "the same as Markdown"),
        ("timeline.json", "every operator on a timeline: open it in ui.perfetto.dev"),
    ):
        if (run / name).is_file():
            say(f"  {run / name}  {what}")
    say(f"passed in {seconds:.0f} s")
