# SPDX-License-Identifier: Apache-2.0
"""How far each layer is from what the machine can do: the roofline model.

Williams, Waterman and Patterson, "Roofline: an insightful visual performance model", CACM 52(4), 2009. What a layer
moves is compared with a copy of as many bytes, so that a layer whose tensors fit the caches meets the rate of caches
(Ilic, Pratas and Sousa, "Cache-aware roofline model", IEEE CAL 13(1), 2014).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from model_profiling.analysis.comparing.sides import MeasuredSide
from model_profiling.analysis.traces.layers import Layer
from model_profiling.pipeline.ceilings import READ, UPDATE, Ceilings, SideCeilings
from model_profiling.pipeline.program.movement import Moved

#: What holds a layer back: the rate of its recipe's operations, or that of moving its bytes.
COMPUTE, MEMORY = "compute", "memory"
#: Nodes that XNNPACK may compute in place: elementwise ones.
IN_PLACE = frozenset(
    "Abs Add Ceiling Clamp Copy Cos Div ELU Exp Floor Gelu Hardswish LeakyReLU Log Maximum Minimum Multiply Negate "
    "PReLU ReciprocalSquareRoot Sigmoid Sin Softmax Square SquareRoot StaticReshape Subtract Tanh".split()
)
#: In which other numbers XNNPACK may compute a recipe's layers: float16 falls back to float32 where a CPU lacks a
#: kernel (src/subgraph/rewrites/cvt_to_fp32.cc), and on a CPU without float16 arithmetic that is faster.
FALLS_BACK_TO = {"fp16": "fp32"}
_OPERATIONS_PER_MULTIPLY_ADD = 2
_PER_MS = 1e6  # of 10^9 a second


@dataclass(frozen=True)
class LayerCeiling:
    """A layer against its ceilings; each value is None where it is not known.

    `intensity` is in operations a byte, of the least that the layer has to move; 0 for a layer without
    multiply-adds. `bound` is `COMPUTE` or `MEMORY`: what takes longer at the ceilings. `floor_ms` is that time, the
    least that an execution of the layer can take, and `share` the floor over the measured median: 1 at the ceiling.
    `fastest_recipe` is the recipe whose operations the floor is of, where that is not the layer's own.
    """

    intensity: float | None
    bound: str | None = None
    floor_ms: float | None = None
    share: float | None = None
    fastest_recipe: str = ""


#: Layers against their ceilings, by experiment and thread count, then by `Layer.layer`.
AgainstCeilings = Mapping[tuple[str, int], Mapping[str, LayerCeiling]]


def layer_ceilings(side: MeasuredSide, ceilings: Ceilings | None) -> Mapping[str, LayerCeiling]:
    """Return each measured layer of a side against its ceilings, in execution order, by `Layer.layer`.

    Without ceilings, or of a run whose graph does not say what layers move, the layers are there and not judged.
    """
    known = ceilings.side(side.experiment, side.threads) if ceilings else None
    needs = side.program.needs
    stored = sum(moved.stored for _, moved in needs.values() if moved)
    return {
        stats.layer.layer: _against(stats.layer, *needs[stats.layer.layer], stats.cost.median_us, known, stored)
        for stats in side.layer_stats
    }


def _against(
    layer: Layer, recipe: str, moved: Moved | None, median_us: float, ceilings: SideCeilings | None, stored: int
) -> LayerCeiling:
    operations = _OPERATIONS_PER_MULTIPLY_ADD * layer.multiply_adds
    if moved is None or not moved.total:
        return LayerCeiling(None)
    fastest, peak = _peak(recipe, ceilings)
    moving = _moving_ms(layer, moved, ceilings, stored) if ceilings else None
    if moving is None or (operations and peak is None):
        return LayerCeiling(operations / moved.total)
    computing = operations / peak / _PER_MS if peak else 0.0
    floor_ms = max(computing, moving)
    share = floor_ms / (median_us / 1e3) if median_us else None
    bound = COMPUTE if computing >= moving else MEMORY
    other = fastest if operations and fastest != recipe else ""
    return LayerCeiling(operations / moved.total, bound, floor_ms, share, other)


def _peak(recipe: str, ceilings: SideCeilings | None) -> tuple[str, float | None]:
    """Return the recipe that computes a layer of `recipe` the fastest, and its peak; None where that is not known."""
    own = ceilings.peak_gops.get(recipe) if ceilings else None
    other = FALLS_BACK_TO.get(recipe, recipe)
    fallback = ceilings.peak_gops.get(other, 0.0) if ceilings else 0.0
    return (other, fallback) if own is not None and fallback > own else (recipe, own)


def _moving_ms(layer: Layer, moved: Moved, ceilings: SideCeilings, stored: int) -> float | None:
    """Return the least time for a layer's bytes: a copy of what it both reads and writes, then the rest.

    What it reads beyond that goes at the rate of reads, what it writes beyond at that of copies. An elementwise layer
    may write over its input, which spares the caches a third array. Weights come from where all `stored` bytes of the
    program fit: from one execution to the next a layer's own are pushed out by those of the others.
    """
    copy = ceilings.bandwidth_gb_s(moved.total)
    if copy is None:
        return None
    update, read = (ceilings.bandwidth_gb_s(moved.total, pattern) or 0.0 for pattern in (UPDATE, READ))
    both = max(copy, update) if layer.kind in IN_PLACE else copy
    further = max(moved.read - moved.written, 0)  # its rate is never below that of a copy
    weights = min(moved.stored, further)
    whole = max(moved.total, stored)
    far = max(ceilings.bandwidth_gb_s(whole) or 0.0, ceilings.bandwidth_gb_s(whole, READ) or 0.0)
    return (
        (moved.total - further) / both + (further - weights) / max(copy, read) + weights / min(far, max(copy, read))
    ) / _PER_MS
