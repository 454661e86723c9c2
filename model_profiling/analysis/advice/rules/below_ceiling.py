# SPDX-License-Identifier: Apache-2.0
"""Layers that reach little of what this machine can do, and the usual reason."""

from __future__ import annotations

import re
from collections.abc import Iterator
from math import prod

from model_profiling.analysis.advice.candidate import AdvisedSide, Candidate
from model_profiling.analysis.advice.costs import LAYER
from model_profiling.analysis.advice.opportunity import CEILING
from model_profiling.analysis.traces.layers import Layer

BELOW = "below-ceiling"
#: A layer that reaches half of its ceiling is near it for one that is measured among others, with cold caches.
NEAR = 0.5
#: XNNPACK's depthwise microkernels go up to 5x5: "up25" in its names (src/f32-dwconv). Larger ones run as IGEMM, a
#: matrix product of one column for each channel.
LARGEST_DEPTHWISE_TAPS = 25
#: Microkernels compute tiles of rows and of channels; what does not fill one is computed all the same. Tiles of
#: XNNPACK's fp32 GEMM: 5 to 7 rows and 16 to 32 columns (AVX-512), 6 rows and 8 columns (NEON).
_FEW_ROWS, _TILE_COLUMNS = 6, 8
#: At fewer positions than these a convolution reads its weights more often than it computes with them.
_FEW_POSITIONS = 64
#: The usual reasons, by which layers are put together.
LARGE_DEPTHWISE, DEPTHWISE, FEW_ROWS, ODD_CHANNELS, SMALL, UNKNOWN = (
    "large depthwise",
    "depthwise",
    "few rows",
    "odd channels",
    "small",
    "",
)
_KERNEL = re.compile(r"(?P<height>\d+)x(?P<width>\d+) ")
_CHANNELS = re.compile(r"(?P<inner>\d+)->(?P<outer>\d+)")


def below_ceiling(advised: AdvisedSide) -> Iterator[Candidate]:
    """Propose to bring layers nearer to their ceiling, those with one reason together."""
    groups: dict[tuple[str, str, str], dict[int, float]] = {}
    for number, layer in enumerate(advised.layers):
        ceiling = advised.ceilings.get(layer.layer)
        if ceiling is None or ceiling.floor_ms is None or advised.ms(number) * NEAR <= ceiling.floor_ms:
            continue
        if (reason := reason_of(layer)) == LARGE_DEPTHWISE:
            continue  # a rule of its own has a rewrite for them
        key = (reason, layer.kind, "" if reason else ceiling.bound or "")
        groups.setdefault(key, {})[number] = ceiling.floor_ms
    for (reason, kind, bound), floors in groups.items():
        largest = advised.layers[max(floors, key=advised.ms)]
        facts = {
            "reason": reason,
            "layer_kind": kind,
            "bound": bound,
            "count": str(len(floors)),
            "detail": largest.detail,
            "module": largest.module,
            "line": largest.source,
        }
        name = re.sub(r"\W+", "-", f"{reason or bound} {kind}".lower())
        bounds = {(LAYER, number): floor for number, floor in floors.items()}
        yield Candidate(f"{BELOW}-{name}", BELOW, CEILING, bounds, facts)


def reason_of(layer: Layer) -> str:
    """Return the usual reason why a layer like this reaches little of its ceiling, "" where none is known."""
    kernel, channels = _KERNEL.match(layer.detail), _CHANNELS.search(layer.detail)
    if layer.kind == "DepthwiseConv2d":
        taps = int(kernel["height"]) * int(kernel["width"]) if kernel else 0
        return LARGE_DEPTHWISE if taps > LARGEST_DEPTHWISE_TAPS else DEPTHWISE
    if not layer.matrix:
        return UNKNOWN
    rows = _rows(layer)
    if rows and rows < _FEW_ROWS:
        return FEW_ROWS
    if channels and any(int(channels[end]) % _TILE_COLUMNS for end in ("inner", "outer")):
        return ODD_CHANNELS
    return SMALL if rows and rows < _FEW_POSITIONS else UNKNOWN


def _rows(layer: Layer) -> int:
    """Return the rows of a layer's matrix product: all dimensions of its output but the channels."""
    return prod(map(int, layer.output.split("x")[:-1])) if re.fullmatch(r"\d+(x\d+)+", layer.output) else 0
