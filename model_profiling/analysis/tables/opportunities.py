# SPDX-License-Identifier: Apache-2.0
"""The table of opportunities (`opportunities.csv`): one row an opportunity, the summary's entries in columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from model_profiling.analysis.tables.csv_text import cell, short
from model_profiling.analysis.tables.typed_rows import csv_bytes

#: Several layers of one opportunity are joined by this.
LAYERS_APART = "; "
OPPORTUNITY_COLUMNS = (
    "id",
    "kind",
    "experiment",
    "threads",
    "where",
    "now_ms",
    "bound_ms",
    "saves_ms",
    "saves_low_ms",
    "saves_high_ms",
    "basis",
    "per",
    "do",
    "command",
)


def opportunities_csv(entries: Iterable[Mapping[str, object]]) -> bytes:
    """Return the table of the summary's entries of "opportunities", as UTF-8 CSV."""
    return csv_bytes(
        OPPORTUNITY_COLUMNS, ([_cell(entry[column]) for column in OPPORTUNITY_COLUMNS] for entry in entries)
    )


def _cell(value: object) -> str:
    return cell(short(LAYERS_APART.join(value) if isinstance(value, list) else value))
