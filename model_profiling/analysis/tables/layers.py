# SPDX-License-Identifier: Apache-2.0
"""The table of layers (`_layers.csv`): one row a layer of an experiment.

Its columns are `RowIdentity`'s, `Layer`'s and `LayerCost`'s: a new column is a new field of one of these. Where the
machine's ceilings are known, `LayerShare`'s follow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from model_profiling.analysis.advice.roofline import LayerCeiling
from model_profiling.analysis.tables.csv_rows import read_rows
from model_profiling.analysis.tables.typed_rows import cells, columns_of, csv_bytes, read_row
from model_profiling.analysis.traces.layers import Layer, LayerCost, LayerStats
from model_profiling.analysis.traces.recording import RowIdentity

LAYER_COLUMNS = (*columns_of(RowIdentity), *columns_of(Layer), *columns_of(LayerCost))

_NAME = "the layer table"
_FIX = "run analyze_results.py again to write it anew"


@dataclass(frozen=True)
class LayerShare:
    """How far a layer is from the ceilings, as `LayerCeiling` has it; `bound` is "" where it is not known."""

    intensity_ops_per_byte: float | None
    bound: str
    share_of_ceiling_percent: float | None

    @classmethod
    def of(cls, ceiling: LayerCeiling) -> LayerShare:
        share = None if ceiling.share is None else 100 * ceiling.share
        return cls(ceiling.intensity, ceiling.bound or "", share)


REACH_COLUMNS = columns_of(LayerShare)


@dataclass(frozen=True)
class LayerRow:
    """One row: whose layer it is, what it is, what it costs, and its reach where the ceilings are known."""

    identity: RowIdentity
    layer: Layer
    cost: LayerCost
    reach: LayerShare | None = None


def layers_csv(
    identity: RowIdentity, stats: Sequence[LayerStats], ceilings: Mapping[str, LayerCeiling] | None = None
) -> bytes:
    """Return the layer table, as UTF-8 CSV; `ceilings` are by the layers' names, None where none are known."""
    start = cells(identity)
    rows = ([*start, *cells(row.layer), *cells(row.cost)] for row in stats)
    if ceilings is None:
        return csv_bytes(LAYER_COLUMNS, rows)
    reaches = (cells(LayerShare.of(ceilings[row.layer.layer])) for row in stats)
    return csv_bytes(
        (*LAYER_COLUMNS, *REACH_COLUMNS), ([*row, *reach] for row, reach in zip(rows, reaches, strict=True))
    )


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
        read_row(LayerShare, values, where, _FIX, _NAME) if set(REACH_COLUMNS) <= values.keys() else None,
    )
