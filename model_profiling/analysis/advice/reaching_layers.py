# SPDX-License-Identifier: Apache-2.0
"""Which layers of a run reach SME2 kernels, by what its export or a preview recorded: layers matched by name. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from model_profiling.analysis.traces.layers import Layer
from model_profiling.pipeline.program_records import ExportedReach, KeptProgram, KeptReach

PREVIEW, EXPORT = "preview", "export"
#: What the export calls the kinds of XNNPACK's nodes; a convolution's kernel and stride do not tell nodes apart.
_KINDS = {
    "conv 1x1": "Conv2d",
    "conv 3x3": "Conv2d",
    "grouped conv 3x3": "Conv2d",
    "depthwise conv 3x3": "DepthwiseConv2d",
    "transposed conv 2x2": "ConvTranspose2d",
    "linear": "FullyConnected",
    "batch matmul": "BatchMatrixMultiply",
}
_Key = tuple[str, str]


@dataclass(frozen=True)
class ReachingLayers:
    """The matrix layers of a program by `Layer.layer`: those that reach SME2, and those of which nothing tells.

    `evidence` is `PREVIEW` (calls were recorded on an emulated CPU) or `EXPORT` (the export's table of kernels).
    """

    evidence: str
    executorch: str
    reaching: frozenset[str]
    unknown: frozenset[str]
    matrix_layers: int


def reaching_layers(layers: Sequence[Layer], record: KeptProgram, executorch: str) -> ReachingLayers | None:
    """Return which of a program's layers reach SME2 in a version of ExecuTorch; None where nothing was recorded for it.

    What a preview recorded goes before what the export says.
    """
    for evidence, kept in ((PREVIEW, record.previewed), (EXPORT, record.exported)):
        if kept is not None and holds_in(kept, executorch):
            matrix = [layer for layer in layers if layer.matrix]
            told = _by_name(matrix, kept) if evidence == PREVIEW else _by_module(matrix, kept.layers)
            return ReachingLayers(
                evidence,
                kept.executorch,
                frozenset(name for name, reaches in told.items() if reaches),
                frozenset(layer.layer for layer in matrix if told.get(layer.layer) is None),
                len(matrix),
            )
    return None


def holds_in(kept: KeptReach, executorch: str) -> bool:
    """Return whether what was recorded is of this ExecuTorch ("1.5.1+cpu" is 1.5.1): another one has other kernels."""
    return kept.executorch.partition("+")[0] == executorch.partition("+")[0]


def _by_name(matrix: Sequence[Layer], kept: KeptReach) -> dict[str, bool | None]:
    """A preview names layers as every run of the same program does."""
    previewed = {one.layer: one.reaches for one in kept.called}
    return {layer.layer: previewed.get(layer.layer) for layer in matrix}


def _by_module(matrix: Sequence[Layer], exported: Sequence[ExportedReach]) -> dict[str, bool | None]:
    """Match layers by module and kind; where a module has several of a kind, in order, if both sides have as many."""
    recorded: dict[_Key, list[ExportedReach]] = {}
    for one in exported:
        if one.delegated and one.kind in _KINDS:
            recorded.setdefault((one.module, _KINDS[one.kind]), []).append(one)
    mine: dict[_Key, list[Layer]] = {}
    for layer in matrix:
        mine.setdefault((layer.module, layer.kind), []).append(layer)
    # Portable kernels call none of KleidiAI's.
    told: dict[str, bool | None] = {layer.layer: False for layer in matrix if not layer.delegated}
    for key, of_key in mine.items():
        inside, told_of = [layer for layer in of_key if layer.delegated], recorded.get(key, [])
        if len(inside) == len(told_of):
            told |= {layer.layer: _holds(layer, one) for layer, one in zip(inside, told_of, strict=True)}
    return told


def _holds(layer: Layer, one: ExportedReach) -> bool | None:
    """Return what the export says, None where the run's shapes make another kernel of it.

    XNNPACK has a kernel of its own for exactly one row, and takes the same one for all other numbers of rows.
    """
    rows = one.rows * layer.multiply_adds / one.multiply_adds if one.multiply_adds else one.rows
    return one.reaches if (rows <= 1) == (one.rows <= 1) else None
