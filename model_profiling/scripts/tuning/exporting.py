# SPDX-License-Identifier: Apache-2.0
"""Exports of a tuning: one combination of rewrites each, as `export_model.py` makes it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from model_profiling.analysis.tuning.gains import Outside, operators_outside
from model_profiling.analysis.tuning.record import PLAIN, Rewrites, TriedProgram
from model_profiling.errors import KitError, UserError
from model_profiling.export import export_job
from model_profiling.export.artifacts import ArtifactPaths
from model_profiling.export.quiet import quiet
from model_profiling.export.rewrites import rewrites as known_rewrites
from model_profiling.files import read_json, sha256
from model_profiling.models.contract import FORWARD
from model_profiling.scripts.tuning.folder import TuningFolder
from model_profiling.scripts.tuning.request import TuningRequest


def export(request: TuningRequest, folder: TuningFolder, rewrites: Rewrites) -> TriedProgram:
    """Return a combination's program, exported unless a whole one is there.

    Raises
    ------
    KitError : plain cannot be exported, which leaves nothing to compare with; of others it is what they are refused by.
    """
    began = time.monotonic()
    outdir = folder.program(rewrites)
    if found_program(outdir, rewrites) is None:
        try:
            with quiet(False):
                export_job.export(request.export(rewrites, outdir), lambda text: None)
        except KitError as refused:
            if rewrites == PLAIN:
                raise
            return TriedProgram(rewrites, time.monotonic() - began, str(refused))
    program = found_program(outdir, rewrites)
    assert program is not None  # just exported
    return _described(_record(program), rewrites, request)


def found_program(outdir: Path, rewrites: Rewrites) -> ArtifactPaths | None:
    """Return the files of a whole export of a combination in its folder, None where there is none."""
    for sidecar in sorted(outdir.glob("*.json")) if outdir.is_dir() else ():
        record: Any = read_json(sidecar, "export record")
        paths = ArtifactPaths(outdir, record["model"], record["backend"], _label(sidecar, record))
        if not paths.pte.is_file() or sha256(paths.pte) != record["pte"]["sha256"]:
            continue
        if all(set(one["rewrites"]) == set(rewrites) for one in _methods(record).values()):
            return paths
    return None


def _label(sidecar: Path, record: Any) -> str:
    """Return the recipe's label, by the file's name."""
    return sidecar.stem.removeprefix(f"{record['model']}_{record['backend']}_")


def _record(paths: ArtifactPaths) -> Any:
    return read_json(paths.sidecar, "export record")


def _methods(record: Any) -> dict[str, Any]:
    return record.get("methods") or {FORWARD: record}


def outside_of(paths: ArtifactPaths) -> list[Outside]:
    """Return what of a program is outside XNNPACK, as its record has it."""
    return [
        Outside(one["operator"], one["count"], one["origin"])
        for method in _methods(_record(paths)).values()
        for one in method["delegation"]["not_delegated"]
    ]


def replaced_operators(rewrites: Rewrites) -> dict[str, tuple[str, ...]]:
    """Return the ATen operators that each rewrite replaces."""
    return {name: known_rewrites()[name].operators for name in rewrites}


def _described(record: Any, rewrites: Rewrites, request: TuningRequest) -> TriedProgram:
    methods = _methods(record)
    if len(methods) > 1:
        raise UserError(
            f"the model has several methods ({', '.join(methods)}), and one is tuned at a time",
            "on the command line",
            "name it with --method",
        )
    (method,) = methods.values()
    outside = [Outside(one["operator"], one["count"], one["origin"]) for one in method["delegation"]["not_delegated"]]
    replaced = replaced_operators(request.asked.rewrites)
    return TriedProgram(
        rewrites,
        record["export_seconds"],
        "",
        record["pte"]["sha256"],
        record["pte"]["bytes"],
        method["delegation"]["delegates"],
        method["delegation"]["portable_operators"],
        method["agreement"]["max_rel_error"],
        method["agreement"]["passed"],
        dict(method["rewrites"]),
        operators_outside(outside, replaced) if rewrites == PLAIN else {},
    )
