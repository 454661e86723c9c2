# SPDX-License-Identifier: Apache-2.0
"""Reading what a report is made of from a run directory, and refusing what is not there yet."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from model_profiling.errors import UserError
from model_profiling.files import read_json
from model_profiling.pipeline.run_directory import Launch, RunDirectory

_SCHEMA_VERSION = 1


@dataclass(frozen=True)
class RunData:
    """A run as read, all plain values; `export` is the model's export record where it is still there."""

    manifest: dict
    launches: Sequence[Launch]
    summary: dict
    metrics: dict
    export: dict | None = None


def read_run(directory: RunDirectory) -> RunData:
    """Read a run that has been analyzed.

    Raises
    ------
    UserError : no run, no analysis of it yet, or an analysis of another run.
    """
    manifest = directory.read_manifest()
    if not directory.analysis_summary.is_file():
        raise UserError("the run has not been analyzed (analysis_summary.json is missing)", f"at {directory.root}",
                        f"run analyze_results.py --run-dir {directory.root} first")
    return RunData(manifest, directory.read_launches(),
                   _result(directory.analysis_summary, manifest, ("experiments", "comparisons")),
                   _result(directory.metrics, manifest, ("experiments",)), _export_record(manifest))


def read_table(path: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV table by column name.

    Raises
    ------
    UserError : the file cannot be read as a table.
    """
    try:
        with open(path, newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"the table cannot be read ({error})", f"at {path}",
                        "run analyze_results.py again to write it anew") from error


def _result(path: Path, manifest: Mapping, keys: Sequence[str]) -> dict:
    again = "run analyze_results.py again to write it anew"
    found = read_json(path, path.name)
    if not isinstance(found, dict) or found.get("schema_version") != _SCHEMA_VERSION:
        raise UserError("the result is of another version of the kit", f"at {path}", again)
    for key in ("model", *keys):
        if key not in found:
            raise UserError(f"the result lacks \"{key}\"", f"at {path}", again)
    if found["model"] != manifest["model"]["id"]:
        raise UserError("the result is of another model than the manifest", f"at {path}", again)
    return found


def _export_record(manifest: Mapping) -> dict | None:
    """Return what the export wrote beside the model, if it is there and of this very model."""
    path = Path(manifest["model"]["path"]).with_suffix(".json")
    if not path.is_file():
        return None
    try:
        found = read_json(path, "export record")
    except UserError:
        return None  # the report is about the run; a record that went bad only takes its facts along
    pte = found.get("pte") if isinstance(found, dict) else None
    return found if isinstance(pte, dict) and pte.get("sha256") == manifest["model"]["sha256"] else None
