# SPDX-License-Identifier: Apache-2.0
"""The ceilings of a run, and what a launch of their program shows: the fastest product and ways to move memory.

The fastest execution counts, as in STREAM (McCalpin 1995): a ceiling is what the machine can do, and other work on it
only takes away.
"""

from __future__ import annotations

import numpy as np

from model_profiling.analysis.comparing.sides import MeasuredSide
from model_profiling.analysis.traces.layers import times_per_run
from model_profiling.errors import MeasurementError
from model_profiling.pipeline.ceilings import COPY, PATTERNS, Ceilings, MemoryRate
from model_profiling.pipeline.manifest import Manifest
from model_profiling.pipeline.run_directory import RunDirectory

_OPERATIONS_PER_MULTIPLY_ADD = 2


def known_ceilings(directory: RunDirectory, manifest: Manifest) -> Ceilings | None:
    """Return the ceilings of a run, None where its manifest knows of none.

    Raises
    ------
    UserError : the file is missing or damaged.
    """
    return None if manifest.ceilings is None else Ceilings.read(directory.ceilings)


def fastest_rates(side: MeasuredSide) -> tuple[float, tuple[MemoryRate, ...]]:
    """Return the peak in 10^9 operations a second and the rates of memory, from a traced side.

    Layers are told apart by their multiply-adds, and by their module, which is named as its pattern.

    Raises
    ------
    MeasurementError : the trace holds no product or no copy.
    """
    layers, needs = side.program.layers, side.program.needs
    times = np.concatenate([times_per_run(r, len(layers)) for r in side.recordings], axis=1)
    peak, rates = 0.0, dict[tuple[str, int], float]()
    for layer, fastest in zip(layers, times.min(axis=1).tolist(), strict=True):
        _, moved = needs[layer.layer]
        if fastest <= 0:  # fused into another, or faster than the clock counts
            continue
        if layer.multiply_adds:
            peak = max(peak, _OPERATIONS_PER_MULTIPLY_ADD * layer.multiply_adds / fastest)
        elif layer.module in PATTERNS and moved is not None:
            key = layer.module, moved.total
            rates[key] = max(rates.get(key, 0.0), moved.total / fastest)
    if not peak or COPY not in {pattern for pattern, _ in rates}:
        raise MeasurementError("the trace of the ceilings' program holds no products or no copies")
    return peak, tuple(MemoryRate(pattern, size, rate) for (pattern, size), rate in sorted(rates.items()))
