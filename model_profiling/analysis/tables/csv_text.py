# SPDX-License-Identifier: Apache-2.0
"""Writes many CSV rows at once: columns become byte matrices, joined and squeezed together.

A trace of 1,000 executions has 200,000 rows; formatting them one by one costs more than
reading the trace. Here each column is a matrix with one row of bytes per table row, NUL
where a value is shorter than the widest, and dropping the NULs leaves the text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]

_NEEDS_QUOTES = re.compile(r'[",\r\n]')
_ZERO, _POINT, _MINUS = ord("0"), ord("."), ord("-")
#: Largest integer that a column shows; larger ones exist in damaged traces only and are cut off.
LARGEST = 9 * 10**18


def cell(value: object) -> str:
    """Return `value` as a CSV field, quoted where RFC 4180 asks for it."""
    text = str(value).replace("\0", "\N{REPLACEMENT CHARACTER}")
    return '"' + text.replace('"', '""') + '"' if _NEEDS_QUOTES.search(text) else text


def texts(choices: Sequence[str], which: NDArray[np.int64]) -> Bytes:
    """Return the column whose row i is `choices[which[i]]`; choices are CSV already."""
    encoded = np.array([choice.encode("utf-8") for choice in choices] or [b""], "S")
    width = max(encoded.dtype.itemsize, 1)
    return encoded.view(np.uint8).reshape(len(encoded), width)[which]


def integers(values: NDArray[np.int64], empty_below: int | None = None) -> Bytes:
    """Return a column of integers; values under `empty_below` become empty fields."""
    digits = _digits(np.abs(values), 1)
    column = np.hstack([np.where(values < 0, _MINUS, 0).astype(np.uint8)[:, None], digits])
    if empty_below is not None:
        column[values < empty_below] = 0
    return column


def decimals(values: NDArray[np.int64], places: int) -> Bytes:
    """Return a column of `values` / 10**`places`, written out with all its places."""
    digits = _digits(np.abs(values), places + 1)
    sign = np.where(values < 0, _MINUS, 0).astype(np.uint8)[:, None]
    point = np.full((len(values), 1), _POINT, np.uint8)
    return np.hstack([sign, digits[:, :-places], point, digits[:, -places:]])


def _digits(values: NDArray[np.int64], least: int) -> Bytes:
    """Return decimal digits, NUL in place of leading zeros, but at least `least` digits."""
    width = max(len(str(int(values.max(initial=0)))), least)
    powers = 10 ** np.arange(width - 1, -1, -1, dtype=np.int64)
    digits = (values[:, None] // powers % 10 + _ZERO).astype(np.uint8)
    shown = values[:, None] >= powers
    shown[:, width - least :] = True
    return digits * shown


def join(columns: Sequence[Bytes], rows: int) -> bytes:
    """Return the rows that the columns make, separated by commas, each ended by a line feed."""
    comma, end = (np.full((rows, 1), ord(mark), np.uint8) for mark in ",\n")
    parts = [part for column in columns for part in (column, comma)]
    matrix: Bytes = np.hstack([*parts[:-1], end])
    return bytes(matrix[matrix != 0].tobytes())


def short(value: object) -> object:
    """Return a cell's value: numbers with six digits, nothing for None."""
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else value


def header(columns: Sequence[str]) -> bytes:
    """Return the first line of a table, as UTF-8 CSV."""
    return (",".join(columns) + "\n").encode("utf-8")
