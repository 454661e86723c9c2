# SPDX-License-Identifier: Apache-2.0
"""The steps of tune_model.py: what the strategy asks for is exported or measured, then the results are written."""

from __future__ import annotations

import os
from contextlib import nullcontext
from pathlib import Path

from model_profiling.analysis.tuning.record import Tried, Tuning, TuningOutcome
from model_profiling.analysis.tuning.strategy import Export, Measure, most_left, next_step
from model_profiling.console import say
from model_profiling.errors import KitError, MeasurementError, UserError
from model_profiling.export.artifacts import put_in_place
from model_profiling.export.identity import versions
from model_profiling.files import write_json, write_text
from model_profiling.pipeline.cpu import features as cpu_features
from model_profiling.pipeline.devices.local import LocalDevice
from model_profiling.pipeline.leases import SHARE_VARIABLE, THIS_HOST, lease
from model_profiling.pipeline.run_directory import RunDirectory
from model_profiling.pipeline.runners import choose_runner
from model_profiling.report.words import tuning as words
from model_profiling.scripts.tuning.exporting import export, found_program
from model_profiling.scripts.tuning.folder import TuningFolder
from model_profiling.scripts.tuning.measuring import measure
from model_profiling.scripts.tuning.request import TuningRequest


def tune(request: TuningRequest, outdir: Path, resume: bool, share_cpu: bool) -> Tuning:
    """Tune a model into `outdir`, and return what came of it; no other run of the kit measures meanwhile.

    Raises
    ------
    UserError : the folder holds something else; another run measures; the model cannot be exported as asked.
    MeasurementError : a program crashed, or no combination agrees with the eager model.
    """
    if outdir.exists() and not outdir.is_dir():
        raise UserError(f"{outdir} is a file", "in --outdir", "name a folder")
    folder = TuningFolder(outdir, request.asked.rewrites)
    shared = share_cpu or bool(os.environ.get(SHARE_VARIABLE))
    with nullcontext() if shared else lease(THIS_HOST, str(outdir)), RunDirectory(outdir).locked():
        folder.begin(request, resume)
        try:
            tuning = _tuned(request, folder)
        except (KeyboardInterrupt, KitError):
            if folder.tried().programs:
                say(f"what was tried is kept: add --resume to go on with {outdir}")
            else:
                folder.request.unlink()  # nothing was: the next attempt may ask for something else
            raise
        _write(folder, tuning)
    return tuning


def _tuned(request: TuningRequest, folder: TuningFolder) -> Tuning:
    asked = request.asked
    choose_runner("auto", None)  # built now where it is not there: no comparison is to pay for that
    while True:
        tried = folder.tried()
        step = next_step(asked, tried)
        if isinstance(step, TuningOutcome):
            return _tuning(request, folder, tried, step)
        say(words.beginning(step, asked, tried, most_left(asked, tried)))
        if isinstance(step, Export):
            program = export(request, folder, step.rewrites)
            folder.add(program)
            say(words.exported(program))
        elif isinstance(step, Measure):
            trial = measure(request, folder, step)
            folder.add(trial)
            say(words.measured(trial))


def _tuning(request: TuningRequest, folder: TuningFolder, tried: Tried, outcome: TuningOutcome) -> Tuning:
    cpu = cpu_features.detect()
    found = found_program(folder.program(outcome.chosen), outcome.chosen)
    assert found is not None  # it was exported
    machine = {"cpu": cpu.model_name, "architecture": cpu.architecture, "cores": str(cpu.cores)}
    described = {key: str(value) for key, value in LocalDevice().describe().items()}
    return Tuning(
        found.model, found.dtype, request.threads, request.asked, {**machine, **described}, versions(), tried, outcome
    )


def _write(folder: TuningFolder, tuning: Tuning) -> None:
    """Write the tuned program with its record, the report of before and after, then the table of what was tried."""
    if words.refused(tuning):
        raise MeasurementError(words.refused(tuning))
    source = found_program(folder.program(tuning.outcome.chosen), tuning.outcome.chosen)
    assert source is not None  # it was exported
    files = [path for path in (source.etrecord, source.sidecar, source.pte) if path.is_file()]
    put_in_place({folder.root / path.name: path.read_bytes() for path in files})
    written = [folder.root / source.pte.name, folder.page, folder.result]
    if folder.before_after.exists() and tuning.final is not None:
        from model_profiling.report.generate import generate_report

        generate_report(folder.before_after)
        written.append(folder.before_after.report_html)
    write_json(folder.result, tuning.to_json())
    write_text(folder.page, words.tuning_markdown(tuning))
    say()
    for sentence in words.conclusions(tuning):
        say(sentence)
    for path in written:
        say(f"  {path}")
