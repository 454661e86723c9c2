# SPDX-License-Identifier: Apache-2.0
"""The table of layers (`_layers.csv`): one row a layer of an experiment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, fields

from model_profiling.analysis.tables.csv_text import cell, short
from model_profiling.analysis.traces.layers import Layer, LayerStats
from model_profiling.analysis.traces.recording import Identity

LAYER_COLUMNS = (
    "model_id",
    "experiment",
    "threads",
    *(f.name for f in fields(Layer)),
    *(f.name for f in fields(LayerStats) if f.name != "layer"),
)


def layers_csv(identity: Identity, stats: Sequence[LayerStats]) -> bytes:
    """Return the layer table, as UTF-8 CSV."""
    start = ",".join(map(cell, astuple(identity)))
    lines = [",".join(LAYER_COLUMNS)]
    for row in stats:
        values = (*astuple(row.layer), row.operators, row.median_us, row.p10_us, row.p90_us, row.gflops, row.pct_of_run)
        lines.append(",".join([start, *(cell(short(value)) for value in values)]))
    return ("\n".join(lines) + "\n").encode("utf-8")
