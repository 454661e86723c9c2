# SPDX-License-Identifier: Apache-2.0
"""What an export's record says of how a program was made, in short: what tells two programs of one run apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from model_profiling.errors import UserError
from model_profiling.pipeline.program.records import method_record, read_sidecar
from model_profiling.pipeline.program.signature import read_signature
from model_profiling.pipeline.program.workload import Workload

#: Keys that say nothing of how a program was made.
_NO_MATTER = frozenset(("schema_version", "export_seconds", "notes", "state"))
#: The record's limit of agreement with the eager model, by these names.
LIMIT_KEYS = MAX_REL_ERROR, MIN_COSINE = "max_rel_error", "min_cosine"


def export_facts(record: Mapping[str, Any]) -> dict[str, object]:
    """Return the options of an export by name, from its record (`record_of`); empty where there is none.

    Options are whatever the record has as a plain value or a list of plain values, so that a new one is told
    without being known here; "limit" is how far the program may be from the eager model.
    """
    facts = {key: value for key, value in record.items() if key not in _NO_MATTER and _is_plain(value)}
    facts |= {f"{name} version": value for name, value in _inner(record, "versions").items() if _is_plain(value)}
    limit = _inner(_inner(record, "agreement"), "limit")
    if all(isinstance(limit.get(key), (int, float)) for key in LIMIT_KEYS):
        facts["limit"] = {key: limit[key] for key in LIMIT_KEYS}
    return facts


def disagrees(record: Mapping[str, Any]) -> bool:
    """Return whether a record says that the program does not agree with the eager model, and was kept all the same."""
    return _inner(record, "agreement").get("passed") is False


def record_of(workload: Workload, digest: str) -> Mapping[str, Any]:
    """Return what the record beside a program says of a workload; empty where none of these very bytes lies there."""
    try:
        record = read_sidecar(workload.model)
        if record is None or _inner(record, "pte").get("sha256") != digest:
            return {}
        return method_record(record, read_signature(workload.model, workload.method).method)
    except UserError:
        return {}  # a record that went bad only takes its facts along


def _inner(record: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = record.get(key)
    return value if isinstance(value, dict) else {}


def _is_plain(value: object) -> bool:
    if isinstance(value, list):
        return all(isinstance(item, (str, int, float, bool)) for item in value)
    return isinstance(value, (str, int, float, bool))
