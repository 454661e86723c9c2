# SPDX-License-Identifier: Apache-2.0
"""The table of operators (`_ops_stats.csv`): one row an operator of an experiment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, fields

from model_profiling.analysis.tables.csv_text import cell, short
from model_profiling.analysis.tables.csv_text import header as _header
from model_profiling.analysis.traces.operator_stats import OperatorStats
from model_profiling.analysis.traces.recording import Identity

OPERATOR_COLUMNS = ("model_id", "experiment", "threads", *(field.name for field in fields(OperatorStats)))


def operators_csv(identity: Identity, operators: Sequence[OperatorStats]) -> bytes:
    """Return the operator table, as UTF-8 CSV."""
    start = ",".join(map(cell, astuple(identity)))
    lines = (",".join([start, *(cell(short(value)) for value in astuple(row))]) + "\n" for row in operators)
    return _header(OPERATOR_COLUMNS) + "".join(lines).encode("utf-8")
