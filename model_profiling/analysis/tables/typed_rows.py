# SPDX-License-Identifier: Apache-2.0
"""A table's rows as frozen dataclasses: the columns are their fields, in order, and say how a cell is read."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import astuple, fields
from typing import Any, TypeVar, get_type_hints

from model_profiling.analysis.tables.csv_text import cell, short
from model_profiling.errors import UserError

_Row = TypeVar("_Row")
_KNOWN: dict[type, dict[str, Callable[[str], object]]] = {}


def columns_of(kind: type) -> tuple[str, ...]:
    """Return the columns that a dataclass stands for."""
    return tuple(field.name for field in fields(kind))


def cells(row: Any) -> list[str]:  # any dataclass: typing has no name for them
    """Return a row's cells as CSV: numbers with six digits, nothing for None."""
    return [cell(short(value)) for value in astuple(row)]


def csv_bytes(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> bytes:
    """Return a table whose `rows` are CSV cells already, as UTF-8."""
    return "".join(f"{','.join(line)}\n" for line in (columns, *rows)).encode("utf-8")


def read_row(kind: type[_Row], values: Mapping[str, str], where: str, fix: str, name: str = "the table") -> _Row:
    """Return the row that `values`, text by column, hold of dataclass `kind`; other columns are left alone.

    Raises
    ------
    UserError : a cell holds something else than its column's type; `where` and `fix` as it takes them.
    """
    read: dict[str, object] = {}
    for column, reader in _readers(kind).items():
        try:
            read[column] = reader(values[column])
        except ValueError as error:
            raise UserError(
                f"{name} holds a value that is not a number ({column} {values[column][:40]!r})", where, fix
            ) from error
    return kind(**read)


def _readers(kind: type) -> dict[str, Callable[[str], object]]:
    if kind not in _KNOWN:
        hints = get_type_hints(kind)
        _KNOWN[kind] = {column: _READERS[hints[column]] for column in columns_of(kind)}
    return _KNOWN[kind]


def _flag(text: str) -> bool:
    if text not in ("0", "1"):
        raise ValueError(text)
    return text == "1"


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


def _or_none(read: Callable[[str], object]) -> Callable[[str], object]:
    return lambda text: read(text) if text else None


_READERS: Mapping[object, Callable[[str], object]] = {
    str: str,
    int: int,
    float: _number,
    bool: _flag,
    int | None: _or_none(int),
    float | None: _or_none(_number),
    int | str: lambda text: int(text) if text.isdecimal() else text,
}
