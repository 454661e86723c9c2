# SPDX-License-Identifier: Apache-2.0
"""Reads CSV tables that the kit wrote, or somebody edited: a wrong one is one line that says where."""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from model_profiling.errors import UserError, nearest

_FIELD_LIMIT = 1 << 20


def read_rows(
    path: Path, columns: Sequence[str], fix: str, optional: Collection[str] = (), name: str = "the table"
) -> Iterator[dict[str, str]]:
    """Yield the rows of a table by column; it must have `columns`, `optional` ones aside, in any order.

    Parameters
    ----------
    fix : what to do about a wrong table, as `UserError` takes it.
    name : what to call the table where a column lacks.

    Raises
    ------
    UserError : the file is missing, unreadable or no such table.
    """
    csv.field_size_limit(_FIELD_LIMIT)
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:  # spreadsheets write the mark
            reader = csv.reader(file, strict=True)
            header = next(reader, [])
            _check_header(header, columns, optional, path, fix, name)
            for values in reader:
                if len(values) != len(header):
                    raise UserError(
                        f"a row has {len(values)} fields, not {len(header)}", f"at {path}:{reader.line_num}", fix
                    )
                yield dict(zip(header, values, strict=True))
    except FileNotFoundError as error:
        raise UserError(
            "the table does not exist", f"at {path}", "correct the path, or analyze the run first"
        ) from error
    except OSError as error:
        raise UserError(f"the table cannot be read ({error.strerror})", f"at {path}", fix) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError("the file is not CSV text", f"at {path}", fix) from error


def _check_header(
    header: Sequence[str], columns: Sequence[str], optional: Collection[str], path: Path, fix: str, name: str
) -> None:
    if not header:
        raise UserError("the table is empty", f"at {path}", fix)
    missing = [column for column in columns if column not in header and column not in optional]
    if missing:
        raise UserError(f"{name} lacks the column {missing[0]}{nearest(missing[0], header)}", f"at {path}", fix)
