# SPDX-License-Identifier: Apache-2.0
"""The table of layers (`_layers.csv`): one row a layer of an experiment.

Its columns are `RowIdentity`'s, `Layer`'s and `LayerCost`'s: a new column is a new field of one of these.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from model_profiling.analysis.tables.csv_rows import read_rows
from model_profiling.analysis.tables.typed_rows import cells, columns_of, csv_bytes, read_row
from model_profiling.analysis.traces.layers import Layer, LayerCost, LayerStats
from model_profiling.analysis.traces.recording import RowIdentity

LAYER_COLUMNS = (*columns_of(RowIdentity), *columns_of(Layer), *columns_of(LayerCost))

_NAME = "the layer table"
_FIX = "run analyze_results.py again to write it anew"


@dataclass(frozen=True)
class LayerRow:
    """One row: whose layer it is, what it is, and what it costs."""

    identity: RowIdentity
    layer: Layer
    cost: LayerCost


def layers_csv(identity: RowIdentity, stats: Sequence[LayerStats]) -> bytes:
    """Return the layer table, as UTF-8 CSV."""
    start = cells(identity)
    return csv_bytes(LAYER_COLUMNS, ([*start, *cells(row.layer), *cells(row.cost)] for row in stats))


def read_layers(path: Path) -> tuple[LayerRow, ...]:
    """Return the rows of a layer table.

    Raises
    ------
    UserError : the file is missing, is no layer table, or holds something else than numbers where they belong.
    """
    return tuple(
        _row(values, f"at {path}, row {number}")
        for number, values in enumerate(read_rows(path, LAYER_COLUMNS, _FIX, name=_NAME), 2)
    )


def _row(values: dict[str, str], where: str) -> LayerRow:
    return LayerRow(
        read_row(RowIdentity, values, where, _FIX, _NAME),
        read_row(Layer, values, where, _FIX, _NAME),
        read_row(LayerCost, values, where, _FIX, _NAME),
    )
