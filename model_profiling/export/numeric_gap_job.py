# SPDX-License-Identifier: Apache-2.0
"""Where a method of a program loses accuracy, measured beside its export: before it is lowered, and once it has run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from model_profiling.errors import KitError
from model_profiling.export import graph_pair, judging, numeric_gaps, tapped_program
from model_profiling.export.graph_pair import Graphs
from model_profiling.export.judging import Prepared, Verified
from model_profiling.export.making import CapturedMethod
from model_profiling.export.numeric_gaps import MeasuredLayers
from model_profiling.export.request import ExportRequest
from model_profiling.models.foreign_code import ForeignCode
from model_profiling.numeric_gap import LayerGap, NumericGap
from model_profiling.signal_error import Fidelity

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class GraphGap:
    """What a method's graphs say of each layer, with what the runtime gives of the first sample's; `note` if nothing.

    `numbers` are those of the samples, among all.
    """

    measured: MeasuredLayers
    numbers: tuple[int, ...]
    runtime: dict[str, Fidelity]
    note: str


def of_graphs(request: ExportRequest, one: Prepared, captured: CapturedMethod) -> GraphGap | str:
    """Compare the graph that is to be lowered with eager's; what makes the comparison fail where it does.

    Layers' results in the runtime are found here too, as lowering changes the graph.
    """
    recipe = request.recipe
    try:
        with ForeignCode("comparing each layer", "export without --numeric-gap"):
            reference, in_float32 = judging.in_float32(request, one.model.method)
            pairs = list(zip(in_float32, judging.flat_samples(one), strict=True))
            numbers = numeric_gaps.spread(range(len(pairs)))
            samples = [pairs[number] for number in numbers]
            graphs = Graphs.of(reference, captured.program)
            measured = numeric_gaps.measure(graphs, samples, recipe, captured.multiply_adds)
            wanted = {point.name: point.observed[0] for point, _ in measured.layers}
            tapped = tapped_program.run_tapped(captured.program, wanted, samples[0][1], recipe, request.backend)
            return GraphGap(measured, tuple(numbers), _runtime(graphs, samples[0][0], tapped), tapped.note)
    except KitError as error:
        return str(error)


def _runtime(graphs: Graphs, inputs: Sequence[torch.Tensor], tapped: tapped_program.Tapped) -> dict[str, Fidelity]:
    if not tapped.results:
        return {}
    expected = graph_pair.reference_values(graphs, inputs)[0]
    return {name: graph_pair.output_fidelity([[expected[name]]], [[value]]) for name, value in tapped.results.items()}


def finish(gap: GraphGap, one: Prepared, verified: Verified) -> NumericGap:
    """Return the layers with how far the program itself is from eager, on the same samples."""
    program = graph_pair.output_fidelity(
        [one.outputs[number] for number in gap.numbers], [verified.results[number] for number in gap.numbers]
    )
    layers = tuple(_with_runtime(layer, gap.runtime.get(point.name)) for point, layer in gap.measured.layers)
    return NumericGap(len(gap.numbers), program, gap.measured.output, layers, gap.note)


def _with_runtime(layer: LayerGap, runtime: Fidelity | None) -> LayerGap:
    return layer if runtime is None else replace(layer, runtime=runtime)
