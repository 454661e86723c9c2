# SPDX-License-Identifier: Apache-2.0
"""The kernel table (`_kernels.csv`): one row a kernel of an operator, and what is known of it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from model_profiling.analysis.tables.csv_rows import read_rows
from model_profiling.analysis.tables.csv_text import cell
from model_profiling.errors import UserError, nearest
from model_profiling.pipeline.kernel_names import FAMILIES, ROLES

CALLED, REGISTERED = EVIDENCE = ("called", "registered")

_FIX = "name a *_kernels.csv of a run, or one that xnntrace_to_kernels.py wrote"
_COUNT = re.compile(r"[0-9]{1,15}")


@dataclass(frozen=True)
class KernelRow:
    """One kernel of one operator; fields are the table's columns.

    `evidence` is "called" where calls were counted, "registered" where the kernel is only
    known to stand in a table; `calls` is None where nobody counted, which is not 0. A row
    without a kernel says of its operator that no kernel of it was seen.
    """

    model_id: str
    experiment: str
    layer: str
    operator: str
    kernel: str
    family: str
    role: str
    calls: int | None
    evidence: str


KERNEL_COLUMNS = tuple(field.name for field in fields(KernelRow))


def kernels_csv(rows: Iterable[KernelRow]) -> bytes:
    """Return the table as UTF-8 CSV; an unknown number of calls is an empty field."""
    lines = [",".join(KERNEL_COLUMNS)]
    lines += [",".join("" if value is None else cell(value) for value in astuple(row)) for row in rows]
    return ("\n".join(lines) + "\n").encode("utf-8", "replace")  # a name from the command line may not be Unicode


def read_kernels(path: Path) -> tuple[KernelRow, ...]:
    """Return the rows of a kernel table.

    Raises
    ------
    UserError : the file is missing or is no kernel table.
    """
    return tuple(
        _row(values, f"at {path}, row {number}")
        for number, values in enumerate(read_rows(path, KERNEL_COLUMNS, _FIX), 2)
    )


def refuse_overwriting(out: Path, inputs: Iterable[Path]) -> None:
    """Raise UserError when `out` is one of the files that it is made from."""
    for path in inputs:
        if out.exists() and path.exists() and out.samefile(path):
            raise UserError("the result would replace what it is made from", f"at {out} (--out)", "name another file")


def _row(values: dict[str, str], where: str) -> KernelRow:
    known = (("family", FAMILIES), ("role", ROLES), ("evidence", EVIDENCE))
    for column, choices in known:
        unnamed = column != "evidence" and not values["kernel"]  # nothing to classify
        if values[column] not in choices and not (unnamed and not values[column]):
            raise UserError(
                f"{values[column]!r} is no {column}{nearest(values[column], choices)}",
                where,
                f"use one of {', '.join(choices)}",
            )
    if values["calls"] and not _COUNT.fullmatch(values["calls"]):
        raise UserError(
            f"{values['calls'][:40]!r} is no number of calls", where, "use a whole number, or leave it empty"
        )
    texts = {column: values[column] for column in KERNEL_COLUMNS if column != "calls"}
    return KernelRow(**texts, calls=int(values["calls"]) if values["calls"] else None)
