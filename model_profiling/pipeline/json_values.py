# SPDX-License-Identifier: Apache-2.0
"""Values of an object read from JSON, each of the kind that it must be; ValueError says which one is not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

_Kind = TypeVar("_Kind")


def required(plain: Mapping[str, object], key: str, kind: type[_Kind]) -> _Kind:
    """Return a value that must be there."""
    if key not in plain:
        raise ValueError(f'"{key}" is missing')
    value = plain[key]
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise ValueError(f'"{key}" is no {kind.__name__}')
    return value


def optional(plain: Mapping[str, object], key: str, kind: type[_Kind]) -> _Kind | None:
    """Return a value that may lack or be null."""
    return None if plain.get(key) is None else required(plain, key, kind)


def texts(plain: Mapping[str, object], key: str) -> tuple[str, ...]:
    """Return a list of texts."""
    return _all(plain, key, str)


def integers(plain: Mapping[str, object], key: str) -> tuple[int, ...]:
    """Return a list of integers."""
    return _all(plain, key, int)


def objects(plain: Mapping[str, object], key: str) -> tuple[dict[str, object], ...]:
    """Return a list of objects."""
    return _all(plain, key, dict)


def number(plain: Mapping[str, object], key: str) -> float | None:
    """Return a number that may lack or be null, an integer as it is."""
    value = plain.get(key)
    return value if type(value) is int else optional(plain, key, float)


def _all(plain: Mapping[str, object], key: str, kind: type[_Kind]) -> tuple[_Kind, ...]:
    values = required(plain, key, list)
    for value in values:
        if not isinstance(value, kind) or isinstance(value, bool):
            raise ValueError(f'"{key}" is no list of {kind.__name__}')
    return tuple(values)
