# SPDX-License-Identifier: Apache-2.0
"""The .pte that ceilings are measured with: exported once for each recipe and ExecuTorch, then kept."""

from __future__ import annotations

import sys
from pathlib import Path

from model_profiling import PACKAGE_DIR
from model_profiling.console import say
from model_profiling.errors import MeasurementError
from model_profiling.files import cache_folder, sha256, write_text
from model_profiling.pipeline.runners.wheel import installed_wheel
from model_profiling.processes import run_child

_SOURCE = Path(__file__).with_name("ceilings_program.py")
_EXPORT_LIMIT_S = 600.0


def ceilings_program(recipe: str) -> Path:
    """Return the program in a recipe, exporting it where it is not there yet.

    An export that failed is not tried in every run again: what it said is kept beside its place.

    Raises
    ------
    UserError : ExecuTorch is not installed.
    MeasurementError : it cannot be exported here.
    """
    folder = cache_folder() / "ceilings" / f"program-{installed_wheel().version}-{sha256(_SOURCE)[:16]}"
    program = folder / f"{_SOURCE.stem}_xnnpack_{recipe}.pte"
    if not program.with_suffix(".json").is_file() or not program.is_file():
        _export(recipe, program)
    if not program.is_file():
        raise MeasurementError(f"the export of the ceilings' program left no {program.name}")
    return program


def _export(recipe: str, program: Path) -> None:
    failed = program.with_suffix(".failed")
    if failed.is_file():
        raise MeasurementError(f"{failed.read_text(encoding='utf-8')} (once; remove {failed} to try again)")
    say(f"ceilings: exporting their program in {recipe}, once for this ExecuTorch")
    command = (sys.executable, str(PACKAGE_DIR / "export" / "export_model.py"))
    # Its values do not matter: the mean of an array's many zeros is beyond float16, and takes as long as any other.
    told = ("--model-file", str(_SOURCE), "--dtype", recipe, "--outdir", str(program.parent), "--keep-disagreeing")
    try:
        run_child((*command, *told), timeout_s=_EXPORT_LIMIT_S).require_ok("exporting the ceilings' program")
    except MeasurementError as problem:
        write_text(failed, str(problem))
        raise
