# SPDX-License-Identifier: Apache-2.0
"""What the programs of a run are called, and how one sentence tells which experiment ran which."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

from model_profiling.analysis.comparing.outputs import AgreementLimit
from model_profiling.pipeline.manifest import Manifest
from model_profiling.pipeline.measured_programs import MeasuredProgram
from model_profiling.pipeline.program.workload import shape_word
from model_profiling.wording import listed

#: As many digits of a digest as tell files apart, and fit a line.
SHA_DIGITS = 12


def program_names(programs: Sequence[MeasuredProgram]) -> tuple[str, ...]:
    """Return a name for each program, by what tells them apart.

    That is the model and dtype that their exports recorded, else the name of the file, else as much of its path as it
    takes; then the method and the shapes of the inputs, where these differ. There are none of a run of one program,
    whose manifest lists none.
    """
    if not programs:
        return ()
    files = _file_names(programs)
    methods, shapes = ([getattr(p, of) for p in programs] for of in ("method", "input_shapes"))
    parts = [
        (
            files[p.model.path] if len(files) > 1 else "",
            p.method or "" if len(set(methods)) > 1 else "",
            shape_words(p, programs) if len(set(shapes)) > 1 else "",
        )
        for p in programs
    ]
    return tuple(", ".join(filter(None, one)) for one in parts)


def _file_names(programs: Sequence[MeasuredProgram]) -> dict[str, str]:
    """Return a name for each file among the programs, by its path."""
    files = list({p.model.path: p for p in programs}.values())
    exported = [f"{p.export['model']} {p.export['dtype']}" for p in files if {"model", "dtype"} <= p.export.keys()]
    paths = [PurePath(p.model.path).with_suffix("").parts for p in files]
    longest = max(map(len, paths))
    for names in (exported, *(["/".join(parts[-depth:]) for parts in paths] for depth in range(1, longest + 1))):
        if len(set(names)) == len(files):
            return dict(zip((p.model.path for p in files), names, strict=True))
    return {p.model.path: p.model.path for p in files}


def shape_words(program: MeasuredProgram, programs: Sequence[MeasuredProgram]) -> str:
    """Return the shape of the first input that has several: "1x16", as it is typed."""
    for number, item in enumerate(program.inputs):
        if len({p.inputs[number].shape for p in programs if len(p.inputs) > number}) > 1:
            return shape_word(item.shape)
    return ""


def title_of(manifest: Manifest) -> str:
    """Return what a report of the run is headed with: the model, or the names of several."""
    files = _file_names(manifest.programs) if manifest.programs else {}
    return listed(list(files.values())) if len(files) > 1 else manifest.model.id


def programs_sentence(manifest: Manifest) -> str:
    """Say which experiment ran which file, or which part of it; "" of a run of one program."""
    if not manifest.programs:
        return ""
    named = list(zip(program_names(manifest.programs), manifest.programs, strict=True))
    if len({p.model.path for p in manifest.programs}) == 1:
        told = [f"{listed(p.experiments)} at {name}" for name, p in named]
        model = manifest.model
        return f"The experiments ran {model.path} (SHA-256 {model.sha256[:SHA_DIGITS]}), {'; '.join(told)}."
    told = [
        f"{listed(p.experiments)} ran {name} ({p.model.path}, SHA-256 {p.model.sha256[:SHA_DIGITS]})"
        for name, p in named
    ]
    return f"The experiments ran different programs: {'; '.join(told)}."


def limit_words(limit: AgreementLimit) -> str:
    """Say how far two programs may differ, and who says so."""
    if limit.max_rel_error is None:
        return f"a cosine of {limit.min_cosine:g} (their exports recorded no limit)"
    return f"the limit of {limit.recipe} (relative error {limit.max_rel_error:g}, cosine {limit.min_cosine:g})"
