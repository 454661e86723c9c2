# SPDX-License-Identifier: Apache-2.0
"""Reads JSON objects key by key: another shape than there should be is one line that names the key."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

from model_profiling.errors import UserError
from model_profiling.files import read_json


class JsonObject:
    """An object read from JSON; `where` and `fix` are for messages, as `UserError` takes them, `what` names the whole.

    Every reader raises `UserError` where the key's value has another shape; those called
    `maybe_...` return None where the key is absent or null.
    """

    def __init__(self, value: object, where: str, fix: str, place: str = "", what: str = "the result") -> None:
        self._where, self._fix, self._place, self._what = where, fix, place, what
        if not isinstance(value, dict):
            raise self._wrong("", "an object")
        self._values: dict[str, object] = value

    @classmethod
    def read(cls, path: Path, fix: str) -> JsonObject:
        """Read a file that holds one object; raises as `files.read_json`."""
        return cls(read_json(path, path.name), f"at {path}", fix)

    def __contains__(self, key: str) -> bool:
        return self._values.get(key) is not None

    def keys(self) -> tuple[str, ...]:
        return tuple(self._values)

    def text(self, key: str) -> str:
        value = self._value(key)
        if not isinstance(value, str):
            raise self._wrong(key, "a text")
        return value

    def flag(self, key: str) -> bool:
        value = self._value(key)
        if not isinstance(value, bool):
            raise self._wrong(key, "true or false")
        return value

    def whole(self, key: str) -> int:
        value = self._value(key)
        if not isinstance(value, int) or isinstance(value, bool):
            raise self._wrong(key, "a whole number")
        return value

    def number(self, key: str) -> float:
        return self._number(self._value(key), key)

    def maybe_text(self, key: str) -> str | None:
        return self.text(key) if key in self else None

    def maybe_whole(self, key: str) -> int | None:
        return self.whole(key) if key in self else None

    def maybe_number(self, key: str) -> float | None:
        return self.number(key) if key in self else None

    def texts(self, key: str) -> tuple[str, ...]:
        values = self._list(key)
        if not all(isinstance(value, str) for value in values):
            raise self._wrong(key, "a list of texts")
        return tuple(str(value) for value in values)

    def wholes(self, key: str) -> tuple[int, ...]:
        """Return a list of whole numbers."""
        values = self._list(key)
        if not all(isinstance(value, int) and not isinstance(value, bool) for value in values):
            raise self._wrong(key, "a list of whole numbers")
        return tuple(value for value in values if isinstance(value, int))

    def rows_of_wholes(self, key: str) -> tuple[tuple[int, ...], ...]:
        """Return a list of lists of whole numbers."""
        rows = self._list(key)
        return tuple(
            JsonObject({key: row}, self._where, self._fix, self._place, self._what).wholes(key) for row in rows
        )

    def maybe_numbers(self, key: str) -> tuple[float, ...] | None:
        """Return a list of numbers."""
        return tuple(self._number(value, key) for value in self._list(key)) if key in self else None

    def numbers_by_name(self, key: str) -> dict[str, float]:
        inner = self.within(key)
        return {name: inner.number(name) for name in inner.keys()}

    def counts_by_name(self, key: str) -> dict[str, int]:
        inner = self.within(key)
        return {name: inner.whole(name) for name in inner.keys()}

    def plain(self) -> dict[str, object]:
        """Return the object as it was read."""
        return dict(self._values)

    def within(self, key: str) -> JsonObject:
        """Return the object that the key holds."""
        return self._inner(self._value(key), self._at(key))

    def maybe_within(self, key: str) -> JsonObject | None:
        return self.within(key) if key in self else None

    def by_name(self) -> Iterator[tuple[str, JsonObject]]:
        """Yield every key with the object that it holds."""
        return ((name, self.within(name)) for name in self._values)

    def each(self, key: str) -> Iterator[JsonObject]:
        """Yield the objects of the list that the key holds."""
        for number, value in enumerate(self._list(key)):
            yield self._inner(value, f"{self._at(key)}[{number}]")

    def refused(self, what: str) -> UserError:
        """Return the error that says `what` is wrong with the whole."""
        return UserError(what, self._where, self._fix)

    def _inner(self, value: object, place: str) -> JsonObject:
        return JsonObject(value, self._where, self._fix, place, self._what)

    def _value(self, key: str) -> object:
        if key not in self._values:
            raise UserError(f'{self._what} lacks "{self._at(key)}"', self._where, self._fix)
        return self._values[key]

    def _list(self, key: str) -> list[object]:
        value = self._value(key)
        if not isinstance(value, list):
            raise self._wrong(key, "a list")
        return value

    def _number(self, value: object, key: str) -> float:
        if not isinstance(value, (int, float)) or isinstance(value, bool) or not math.isfinite(value):
            raise self._wrong(key, "a number")
        return value

    def _at(self, key: str) -> str:
        return f"{self._place}.{key}" if self._place and key else self._place or key

    def _wrong(self, key: str, wanted: str) -> UserError:
        place = self._at(key)
        return UserError(f'"{place}" is not {wanted}' if place else f"it is not {wanted}", self._where, self._fix)
