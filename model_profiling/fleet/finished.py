# SPDX-License-Identifier: Apache-2.0
"""Which jobs need not be done again: told by their files, so that a sweep may be killed at any moment."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from pathlib import Path

from model_profiling.errors import UserError
from model_profiling.export.identity import named, versions
from model_profiling.files import sha256
from model_profiling.fleet.directory import SweepDirectory
from model_profiling.fleet.plan import Cell, SweptProgram
from model_profiling.json_objects import JsonObject
from model_profiling.models.registry import find
from model_profiling.pipeline.config import Config, parse_config


def made_from(program: SweptProgram) -> dict[str, object]:
    """Return what the bytes of a program's export depend on: equal means the export need not be made again."""
    model = program.model
    source = Path(model.model_file) if model.model_file else find(str(model.model)).location
    return {
        "dtype": program.dtype,
        "model": model.model,
        "source": (named(source) or {}).get("sha256"),
        "weights": (named(Path(model.weights) if model.weights else None) or {}).get("sha256"),
        "rewrites": list(model.rewrites),
        "methods": list(model.methods),
        "versions": versions(),
    }


def finished_program(program: SweptProgram, directory: SweepDirectory) -> bool:
    """Return whether a program is there as it would be exported now."""
    pte = directory.pte(program)
    if not program.exported or pte is None:
        return pte is not None
    note = directory.note(program.name)
    return note is not None and note.done and note.made_from == made_from(program) and note.pte == sha256(pte)


def run_config(cell: Cell, pte: Path, directory: SweepDirectory) -> dict[str, object]:
    """Return the configuration of a cell's run, as its pipeline reads it."""
    return {"model": str(pte), "output_root": str(directory.run(cell).root), **cell.config}


def finished_cell(cell: Cell, directory: SweepDirectory, pte_sha256: str, quick: bool) -> bool:
    """Return whether a cell is measured and analyzed: of this program and this configuration, wherever they lay."""
    if not cell.device.timed:
        return _previewed(cell, directory, pte_sha256)
    run = directory.run(cell)
    last = run.timeline_json  # of the files of a report
    if not (run.is_finished() and run.analysis_summary.is_file() and last.is_file()):
        return False
    return _is_of(cell, directory, pte_sha256, quick)


def begun_cell(cell: Cell, directory: SweepDirectory, pte_sha256: str, quick: bool, config: Config) -> bool:
    """Return whether the cell's run was begun before, so that its pipeline can take it up."""
    if not directory.run(cell).exists() or not _is_of(cell, directory, pte_sha256, quick):
        return False
    return directory.run(cell).read_manifest().config.to_json() == config.to_json()


def _is_of(cell: Cell, directory: SweepDirectory, pte_sha256: str, quick: bool) -> bool:
    try:
        manifest = directory.run(cell).read_manifest()
    except UserError:  # of another version of the kit, or damaged: measured again, and this one is set aside
        return False
    wanted = _config_json(json.dumps(cell.config, sort_keys=True))
    same = _without_places(manifest.config.to_json()) == _without_places(wanted)
    return same and manifest.quick == quick and manifest.model.sha256 == pte_sha256


@functools.lru_cache(maxsize=256)  # cells of a device share it, and checking it against the schema takes a while
def _config_json(text: str) -> dict[str, object]:
    """Return a cell's configuration as a manifest has it, its model and folder aside."""
    return parse_config({"model": "m", "output_root": "o", **json.loads(text)}, Path("the sweep")).to_json()


def _without_places(config: Mapping[str, object]) -> dict[str, object]:
    return {key: value for key, value in config.items() if key not in ("model", "output_root")}


def _previewed(cell: Cell, directory: SweepDirectory, pte_sha256: str) -> bool:
    pte = directory.pte(cell.program)
    if pte is None:
        return False
    folder = directory.preview(cell, pte)
    if not (folder.json.is_file() and folder.markdown.is_file()):
        return False
    try:
        return JsonObject.read(folder.json, "").within("model").text("sha256") == pte_sha256
    except UserError:
        return False
