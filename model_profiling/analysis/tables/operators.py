# SPDX-License-Identifier: Apache-2.0
"""The table of operators (`_ops_stats.csv`): one row an operator of an experiment.

Its columns are `RowIdentity`'s and `OperatorStats`': a new column is a new field there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from model_profiling.analysis.tables.csv_rows import read_rows
from model_profiling.analysis.tables.typed_rows import cells, columns_of, csv_bytes, read_row
from model_profiling.analysis.traces.operator_stats import OperatorStats
from model_profiling.analysis.traces.recording import RowIdentity

OPERATOR_COLUMNS = (*columns_of(RowIdentity), *columns_of(OperatorStats))

_FIX = "name an *_ops_stats.csv of a run, or analyze it again to write it anew"


@dataclass(frozen=True)
class OperatorRow:
    """One row: whose operator it is, and what it costs."""

    identity: RowIdentity
    operator: OperatorStats


def operators_csv(identity: RowIdentity, operators: Sequence[OperatorStats]) -> bytes:
    """Return the operator table, as UTF-8 CSV."""
    start = cells(identity)
    return csv_bytes(OPERATOR_COLUMNS, ([*start, *cells(row)] for row in operators))


def read_operators(path: Path) -> tuple[OperatorRow, ...]:
    """Return the rows of an operator table.

    Raises
    ------
    UserError : the file is missing, is no operator table, or holds something else than numbers where they belong.
    """
    return tuple(
        OperatorRow(
            read_row(RowIdentity, values, f"at {path}, row {number}", _FIX),
            read_row(OperatorStats, values, f"at {path}, row {number}", _FIX),
        )
        for number, values in enumerate(read_rows(path, OPERATOR_COLUMNS, _FIX), 2)
    )
