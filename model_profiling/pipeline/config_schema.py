# SPDX-License-Identifier: Apache-2.0
"""The JSON Schemas of configurations, and their errors as lines that name the key."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model_profiling import PACKAGE_DIR
from model_profiling.errors import UserError, nearest

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

#: Of a run, and of a sweep, which refers to the former.
CONFIG_SCHEMA, SWEEP_SCHEMA = "config.schema.json", "sweep.schema.json"


@functools.cache
def _validator(name: str) -> Validator:
    from jsonschema import Draft202012Validator
    from referencing import Registry, Resource

    schemas = {other: json.loads(schema_file(other).read_text(encoding="utf-8")) for other in (CONFIG_SCHEMA, name)}
    registry: Registry[Any] = Registry().with_resources(
        (schema["$id"], Resource.from_contents(schema)) for schema in schemas.values()
    )
    return Draft202012Validator(schemas[name], registry=registry)


def schema_file(name: str) -> Path:
    """Return where a schema lies."""
    return PACKAGE_DIR / "configs" / name


def check_schema(raw: Any, path: Path, name: str) -> None:
    """Raise the `UserError` for the first thing in which JSON values are not as a schema has them."""
    from jsonschema.exceptions import best_match

    errors = list(_validator(name).iter_errors(raw))
    # An unknown key is the likeliest slip and the clearest message: report it first.
    unknown = [e for e in errors if e.validator == "additionalProperties"]
    error: Any = unknown[0] if unknown else best_match(errors)  # jsonschema types its values as anything, or unset
    if error is None:
        return
    place = _key_path(error.absolute_path)
    where = f"in {place} of {path}" if place else f"in {path}"
    if error.validator == "additionalProperties":
        known = list(error.schema["properties"])
        key = next(k for k in error.instance if k not in known)
        raise UserError(
            f"{json.dumps(key)} is not a key of the config{nearest(key, known)}",
            where,
            f"use one of {', '.join(k for k in known if k != '$schema')}",
        )
    if error.validator == "required":
        missing = next(k for k in error.validator_value if k not in error.instance)
        raise UserError(f'the key "{missing}" is missing', where, "add it")
    shown = json.dumps(error.instance, ensure_ascii=False)
    shown = shown if len(shown) <= 60 else shown[:57] + "..."
    raise UserError(f"{shown} is not valid", where, _expectation(error, name))


def _expectation(error: Any, name: str) -> str:
    value = error.validator_value
    described = error.schema.get("description", "") if isinstance(error.schema, dict) else ""
    words = {
        "type": f"use {'an' if str(value)[0] in 'aeiou' else 'a'} {value}",
        "minimum": f"use {value} or more",
        "maximum": f"use {value} or less",
        "enum": f"use one of {', '.join(map(str, value))}" if error.validator == "enum" else "",
        "minItems": f"give at least {value}",
        "maxItems": f"give at most {value}",
        "minLength": "do not leave it empty",
        "uniqueItems": "name each value once",
    }
    return words.get(error.validator) or described or f"see model_profiling/configs/{name}"


def _key_path(parts: Iterable[str | int]) -> str:
    text = ""
    for part in parts:
        text += f"[{part}]" if isinstance(part, int) else f"{'.' if text else ''}{part}"
    return text
