# SPDX-License-Identifier: Apache-2.0
"""Check the programs of a run: those that were measured, each run by its own experiments on its own inputs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from model_profiling.analysis.checks.recorded_run import Run
from model_profiling.analysis.comparing.outputs import agreement, limit_of, within
from model_profiling.files import sha256
from model_profiling.findings import Finding, error, warning
from model_profiling.pipeline.measured_programs import InputFile
from model_profiling.pipeline.program.workload import Shape, Workload, parse_shape
from model_profiling.pipeline.run_directory import Launch

_CHECK = "programs"
_AGAIN = "run the experiment again"


def check_models(run: Run) -> Iterator[Finding]:
    """Yield what is wrong with the files that were measured."""
    for program in run.manifest.every_program:
        path = Path(program.model.path)
        if not path.is_file():
            yield warning("model", f"{path} is no longer there, so it cannot be compared", "")
        elif sha256(path) != program.model.sha256:
            yield error("model", f"{path} is not the model that was measured", "restore it or run the experiment again")


def check_programs(run: Run) -> Iterator[Finding]:
    """Yield where an experiment did not run the program, layers or inputs that are its own."""
    yield from _owners(run)
    yield from _graphs(run)
    yield from _inputs(run)
    yield from _launched(run)


def _owners(run: Run) -> Iterator[Finding]:
    """Every experiment has the one program that the configuration gives it."""
    for experiment in run.config.experiments:
        wanted = run.config.workload(experiment.name)
        recorded = [p.workload for p in run.manifest.programs if experiment.name in p.experiments]
        if recorded != [wanted]:
            held = " and ".join(map(str, recorded)) or "none"
            yield error(_CHECK, f"{experiment.name} should have run {wanted}, the manifest has {held}", _AGAIN)


def _graphs(run: Run) -> Iterator[Finding]:
    if run.manifest.finished is None:
        return
    for number, program in enumerate(run.manifest.programs):
        file = run.directory.graph(number)
        if program.graph_sha256 != (sha256(file) if file.is_file() else None):
            yield error(
                _CHECK, f"{file.name} does not hold the layers of {program.model.path}", f"restore it or {_AGAIN}"
            )


def _inputs(run: Run) -> Iterator[Finding]:
    for program in run.manifest.programs:
        for item in program.inputs:
            file = _within_run(run, item)
            if file is not None and file.is_file() and sha256(file) != item.sha256:
                yield error(_CHECK, f"{file} is not the input that was measured", f"restore it or {_AGAIN}")
    for names in run.config.compare_pairs:
        first, second = (run.manifest.program(name).inputs for name in names)
        for number, (mine, theirs) in enumerate(zip(first, second, strict=False)):
            if mine.dtype == theirs.dtype and mine.sha256 != theirs.sha256:
                yield error(_CHECK, f"{names[0]} and {names[1]} were fed another input {number}", _AGAIN)


def _within_run(run: Run, item: InputFile) -> Path | None:
    """Return where an input lies that the run drew itself, wherever the run directory is today."""
    try:
        return run.directory.root / Path(item.file).relative_to(run.config.output_root)
    except ValueError:
        return None


def _launched(run: Run) -> Iterator[Finding]:
    """Every launch was started with its experiment's program, wherever that lies on the device."""
    for launch in run.launches:
        program = run.manifest.program(launch.experiment)
        started = _program_of(launch)
        told = program.workload
        if started is not None and (started.model.name, started.method) != (told.model.name, told.method):
            yield error(_CHECK, f"launch {launch.index} of {launch.experiment} ran {started}, not {told}", _AGAIN)
        elif started is not None and told.input_shapes and started.input_shapes != told.input_shapes:
            yield error(_CHECK, f"launch {launch.index} of {launch.experiment} ran {started}, not {told}", _AGAIN)
    places: dict[Workload, int] = {}
    for launch in run.launches:
        started, number = _program_of(launch), run.manifest.program_number(launch.experiment)
        if started is not None and places.setdefault(started, number) != number:
            yield error(
                _CHECK, f"launch {launch.index} of {launch.experiment} ran another's program, {started}", _AGAIN
            )


def _program_of(launch: Launch) -> Workload | None:
    """Return the program that a launch's command line names, with its method and shapes; None where it names none."""
    model, method, shapes = None, None, []
    for word, following in zip(launch.argv, (*launch.argv[1:], ""), strict=True):
        if word == "--model":
            model = following
        elif word == "--method":
            method = following
        elif word == "--input-shape":
            shapes.append(_shape(following))
        elif word.startswith(("--model_path=", "--method_name=")):
            name, _, value = word.partition("=")
            model, method = (value, method) if name == "--model_path" else (model, value)
    return None if model is None else Workload(Path(model), method, tuple(shapes))


def _shape(word: str) -> Shape:
    """Return the shape of a recorded command line, one that no program takes where the word is none."""
    try:
        return parse_shape(word)
    except ValueError:
        return (-1,)


def check_outputs_of_programs(run: Run) -> Iterator[Finding]:
    """Yield which compared programs answer otherwise: right where that was the change, wrong where it was not."""
    for names in run.config.compare_pairs:
        if run.manifest.same_program(*names):
            continue
        limit = limit_of(run.manifest, *names)
        for threads in run.config.experiment(names[0]).threads:
            outputs = agreement(run.launches, *names, threads)
            if outputs.compared and not within(outputs, limit):
                yield warning(
                    "agreement of programs",
                    f"outputs of {names[0]} and {names[1]} differ by more than their exports allow",
                    "right where the change is meant to change what the model computes",
                )
                break
