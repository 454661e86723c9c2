# SPDX-License-Identifier: Apache-2.0
"""Layers that are near the ceiling of memory: only moving fewer bytes makes them faster."""

from __future__ import annotations

from collections.abc import Iterator

from model_profiling.analysis.advice.candidate import AdvisedSide, Candidate
from model_profiling.analysis.advice.costs import LAYER
from model_profiling.analysis.advice.opportunity import CEILING
from model_profiling.analysis.advice.rules.below_ceiling import NEAR

MEMORY_BOUND = "memory-bound"
#: The recipe whose numbers have fewer bytes, and how many times fewer: a layer that moves half as much at the ceiling
#: takes half as long.
_SMALLER = {"fp32": ("fp16", 2), "fp16": ("int8", 2)}
#: The same where a CPU has no float16 arithmetic: it would convert each number that it saves moving.
_SMALLER_WITHOUT_FLOAT16 = {"fp32": ("int8", 4), "fp16": ("int8", 2)}


def memory_bound(advised: AdvisedSide) -> Iterator[Candidate]:
    """Propose smaller numbers for layers that move their bytes nearly as fast as this machine can."""
    smaller = _SMALLER if advised.float16 else _SMALLER_WITHOUT_FLOAT16
    recipe, times = smaller.get(advised.exported.dtype, ("", 1))
    bounds, largest = {}, -1
    for number, layer in enumerate(advised.layers):
        ceiling = advised.ceilings.get(layer.layer)
        if ceiling is None or ceiling.floor_ms is None or ceiling.bound != "memory":
            continue
        if advised.ms(number) * NEAR <= ceiling.floor_ms:
            bounds[LAYER, number] = ceiling.floor_ms / times
            largest = number if largest < 0 or advised.ms(number) > advised.ms(largest) else largest
    if recipe and bounds:
        layer = advised.layers[largest]
        facts = {
            "recipe": recipe,
            "count": str(len(bounds)),
            "detail": layer.detail,
            "module": layer.module,
            "line": layer.source,
        }
        yield Candidate(MEMORY_BOUND, MEMORY_BOUND, CEILING, bounds, facts)
