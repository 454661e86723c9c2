# SPDX-License-Identifier: Apache-2.0
"""CSV tables as DataFrames whose columns have types: those of the dataclass that is the table's row."""

from __future__ import annotations

import io
from collections.abc import Collection, Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import get_type_hints

import pandas as pd

from model_profiling.analysis.summary import AGAIN
from model_profiling.errors import UserError

#: The type of each column, by name and in the table's order.
Dtypes = Mapping[str, str]

CATEGORY = "category"
#: Columns of few distinct words.
_CATEGORIES = frozenset(
    ("model_id", "experiment", "category", "backend", "kind", "family", "role", "evidence", "verdict", "bound")
)
#: Columns of 0 and 1.
_FLAGS = frozenset(("delegated", "matrix"))
_KEPT_EMPTY = frozenset(("str", CATEGORY))
_PLAIN: Mapping[object, str] = {
    str: "str",
    int: "int64",
    float: "float64",
    bool: "bool",
    int | None: "Int64",
    float | None: "float64",
}


def dtypes_of(*rows: type, categories: Collection[str] = (), lone: bool = False) -> Dtypes:
    """Return the columns that dataclasses stand for, with their types.

    `categories` are columns that hold few distinct words in this table. A thread count and a pair may lack where a
    trace stands `lone`; in a run every row has them.
    """
    found: dict[str, str] = {}
    for row in rows:
        hints = get_type_hints(row)
        for name in (field.name for field in fields(row)):
            found[name] = CATEGORY if name in categories else _dtype(name, hints[name], lone)
    return found


def _dtype(column: str, hint: object, lone: bool) -> str:
    if column in _CATEGORIES:
        return CATEGORY
    if hint == int | str:
        return "Int64" if lone else "int64"
    return "bool" if column in _FLAGS else _PLAIN[hint]


def typed(frame: pd.DataFrame, dtypes: Dtypes) -> pd.DataFrame:
    """Return the frame with its columns in these types."""
    result: pd.DataFrame = frame.astype(dict(dtypes))
    return result


def made_of(rows: Iterable[object], dtypes: Dtypes) -> pd.DataFrame:
    """Return a frame of rows, each a sequence or a mapping of the columns' values."""
    return typed(pd.DataFrame(list(rows), columns=list(dtypes)), dtypes)


def read_table(source: Path | bytes, dtypes: Dtypes, fix: str = AGAIN) -> pd.DataFrame:
    """Read a table; an empty cell is no number in a column of numbers, and no text in one of texts.

    Raises
    ------
    UserError : the table is unreadable, lacks a column, or holds something else than its column's type.
    """
    where = f"at {source}" if isinstance(source, Path) else "in memory"
    read_as = {column: "int64" if dtype == "bool" else dtype for column, dtype in dtypes.items()}
    empty = {column: [""] for column, dtype in dtypes.items() if dtype not in _KEPT_EMPTY}
    try:
        content = io.BytesIO(source) if isinstance(source, bytes) else source
        table = pd.read_csv(content, dtype=read_as, keep_default_na=False, na_values=empty)
    except (OSError, OverflowError, TypeError, ValueError) as error:  # pandas says with each what no number is
        raise UserError(f"the table cannot be read ({error})", where, fix) from error
    missing = [column for column in dtypes if column not in table.columns]
    if missing:
        raise UserError(f"the table lacks the column {missing[0]}", where, fix)
    return typed(table, dtypes)


def joined(frames: Iterable[pd.DataFrame], dtypes: Dtypes) -> pd.DataFrame:
    """Return the rows of all frames, whose columns have these types; without a frame, columns without rows."""
    parts = [frame.copy(deep=False) for frame in frames]
    if not parts:
        return made_of((), dtypes)
    for column in (name for name, dtype in dtypes.items() if dtype == CATEGORY):
        words = dict.fromkeys(word for part in parts for word in part[column].cat.categories)
        known = pd.Index(list(words), dtype="str")  # of a column without rows it would be of another type
        for part in parts:
            part[column] = part[column].cat.set_categories(known)
    result: pd.DataFrame = pd.concat(parts, ignore_index=True)
    return result
