# SPDX-License-Identifier: Apache-2.0
"""The kernel table: its columns, and how it is written and read back."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from model_profiling.analysis.csv_text import cell
from model_profiling.analysis.kernels import EVIDENCE, FAMILIES, ROLES, KernelUse
from model_profiling.errors import UserError, nearest

KERNEL_COLUMNS = ("model_id", "experiment", *(f.name for f in fields(KernelUse)))

_FIX = "name a *_kernels.csv that this kit wrote"
_FIELD_LIMIT = 1 << 20
_MOST_CALLS = 10**15


@dataclass(frozen=True)
class KernelTable:
    """What a kernel table holds: one experiment with one model."""

    model_id: str
    experiment: str
    uses: tuple[KernelUse, ...]


def kernels_csv(model_id: str, experiment: str, uses: Sequence[KernelUse]) -> bytes:
    """Return the kernel table, as UTF-8 CSV."""
    lines = [KERNEL_COLUMNS, *((model_id, experiment, *astuple(use)) for use in uses)]
    return "".join(",".join(map(cell, line)) + "\n" for line in lines).encode("utf-8")


def read_kernels(path: Path) -> KernelTable:
    """Read the kernel table at `path`.

    Raises
    ------
    UserError : it is missing, no kernel table, damaged, or of several experiments.
    """
    rows = _rows(path)
    sources = {(row["model_id"], row["experiment"]) for _, row in rows}
    if not sources:
        raise UserError("the table has no rows", f"at {path}", _FIX)
    if len(sources) > 1:
        raise UserError("the table is of several models or experiments", f"at {path}", "give one table for each")
    model, experiment = sources.pop()
    return KernelTable(model, experiment, tuple(_use(row, f"{path}:{line}") for line, row in rows))


def _rows(path: Path) -> list[tuple[int, dict[str, str]]]:
    csv.field_size_limit(_FIELD_LIMIT)
    found = []
    try:
        with open(path, newline="", encoding="utf-8") as file:
            reader = csv.reader(file, strict=True)
            header = next(reader, [])
            missing = [column for column in KERNEL_COLUMNS if column not in header]
            if missing:
                raise UserError(f"the table lacks the column {missing[0]}{nearest(missing[0], header)}", f"at {path}", _FIX)
            for values in reader:
                if len(values) != len(header):
                    raise UserError(f"a row has {len(values)} fields, not {len(header)}",
                                    f"at {path}:{reader.line_num}", _FIX)
                found.append((reader.line_num, dict(zip(header, values))))
    except FileNotFoundError as error:
        raise UserError("the table does not exist", f"at {path}", "correct the path") from error
    except OSError as error:
        raise UserError(f"the table cannot be read ({error.strerror})", f"at {path}", _FIX) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError("the file is not CSV text", f"at {path}", _FIX) from error
    return found


def _use(row: dict[str, str], where: str) -> KernelUse:
    calls = row["calls"]
    if not calls.isascii() or not calls.isdecimal() or int(calls[:20]) > _MOST_CALLS:
        raise UserError(f"{calls!r} is no number of calls", f"at {where}", _FIX)
    for column, known in (("family", FAMILIES), ("role", ROLES), ("evidence", EVIDENCE)):
        value = row[column]
        # An operator without a kernel has neither family nor role.
        allowed = known if row["kernel"] or column == "evidence" else ("",)
        if value not in allowed:
            raise UserError(f"{value!r} is no {column}{nearest(value, known)}", f"at {where}",
                            f"use one of {', '.join(known)}" if row["kernel"] or column == "evidence" else
                            "leave it empty where no kernel is named")
    return KernelUse(row["layer"], row["operator"], row["kernel"], row["family"], row["role"], int(calls),
                     row["evidence"])
