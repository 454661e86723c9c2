# SPDX-License-Identifier: Apache-2.0
"""The record that an export leaves beside a `.pte`: found, and of a program of several methods the part of one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from model_profiling.errors import UserError
from model_profiling.files import read_json


def read_sidecar(model: Path) -> dict[str, Any] | None:
    """Return the export sidecar beside a .pte (same stem, ``.json``), or None when there is none.

    Raises
    ------
    UserError : it is there and not a JSON object.
    """
    path = model.with_suffix(".json")
    if not path.is_file():
        return None
    sidecar = read_json(path, "export sidecar")
    if not isinstance(sidecar, dict):
        raise UserError("the export sidecar is not a JSON object", f"at {path}", "export the model again")
    return sidecar


def method_record(record: Mapping[str, Any], method: str | None) -> Mapping[str, Any]:
    """Return what a record says of a method, the only one where none is named, and of the whole program.

    Raises
    ------
    UserError : the record is of a program with other methods.
    """
    several = record.get("methods")
    if several is None:
        return record
    names = list(several) if isinstance(several, dict) else []
    own = several.get(names[0] if method is None and len(names) == 1 else method) if names else None
    if not isinstance(own, dict):
        raise UserError(
            f"the export sidecar says nothing of the method {method or 'that runs'}",
            "beside the model",
            "export the model again",
        )
    return {**record, **own}
