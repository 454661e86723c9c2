# SPDX-License-Identifier: Apache-2.0
"""A model's graph in float32 beside that of its program: runs of both, and how far outputs are from each other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from model_profiling.export.graph_run import GraphRun
from model_profiling.export.layer_points import LayerPoint, points
from model_profiling.signal_error import ErrorSums, Fidelity, worst

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    #: Flat inputs of a sample, in float32 and in the recipe's types.
    Sample = tuple[Sequence[torch.Tensor], Sequence[torch.Tensor]]
    Values = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Graphs:
    """The model's graph in float32 beside the one that was lowered, with their common layers."""

    reference: GraphRun
    program: GraphRun
    points: tuple[LayerPoint, ...]

    @classmethod
    def of(cls, reference: torch.export.ExportedProgram, program: torch.export.ExportedProgram) -> Graphs:
        return cls(GraphRun(reference), GraphRun(program), points(reference.graph, program.graph))


class OutputSums:
    """Errors of each output of a model; the worst counts."""

    def __init__(self) -> None:
        self._sums: dict[int, ErrorSums] = {}

    def add(self, reference: Sequence[torch.Tensor], got: Sequence[torch.Tensor]) -> None:
        """Add a sample's; integer outputs count where there are no others."""
        floating = [number for number, value in enumerate(reference) if value.is_floating_point()]
        for number in floating or range(len(reference)):
            self._sums.setdefault(number, ErrorSums()).add(array_of(reference[number]), array_of(got[number]))

    @property
    def fidelity(self) -> Fidelity:
        return worst(one.fidelity for one in self._sums.values())


def output_fidelity(reference: Sequence[Sequence[torch.Tensor]], got: Sequence[Sequence[torch.Tensor]]) -> Fidelity:
    """Return how far the outputs of all samples are from eager's, of several outputs the worst.

    Floating-point ones decide; integer ones count where a model has nothing else.
    """
    sums = OutputSums()
    for first, second in zip(reference, got, strict=True):
        sums.add(first, second)
    return sums.fidelity


def reference_values(graphs: Graphs, inputs: Sequence[torch.Tensor]) -> tuple[Values, list[torch.Tensor]]:
    """Return eager's result of each layer, by its name in the program's graph, and eager's outputs."""
    by_reference: dict[str, list[str]] = {}
    for point in graphs.points:
        by_reference.setdefault(point.reference, []).append(point.name)
    values: Values = {}

    def keep(name: str, value: torch.Tensor) -> None:
        if name in by_reference:
            kept = value.detach().clone()
            values.update(dict.fromkeys(by_reference[name], kept))

    outputs = graphs.reference(inputs, keep)
    return values, outputs


def of_observed(among: Iterable[LayerPoint]) -> dict[str, LayerPoint]:
    """Return layers by where the program's graph has their results as others take them."""
    return {name: point for point in among for name in point.observed}


def array_of(value: torch.Tensor) -> NDArray[np.float64]:
    """Return a tensor's values in float64."""
    import torch

    array: NDArray[np.float64] = value.detach().to(torch.float64).numpy()
    return array
