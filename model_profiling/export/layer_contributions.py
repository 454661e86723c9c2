# SPDX-License-Identifier: Apache-2.0
"""What one layer alone costs a model's output, and what the output is without that: a run for each layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from model_profiling.export.graph_pair import Graphs, OutputSums, of_observed, reference_values
from model_profiling.export.layer_points import LayerPoint, takers
from model_profiling.signal_error import Fidelity

if TYPE_CHECKING:
    import torch

    from model_profiling.export.graph_pair import Sample, Values
    from model_profiling.export.graph_run import Look


def alone(
    graphs: Graphs, samples: Sequence[Sample], chosen: Sequence[LayerPoint], quantized: bool = True
) -> dict[str, Fidelity]:
    """Return the model's output with each layer's own error alone in it.

    Parameters
    ----------
    quantized : whether with what quantizes the layer's result, or only with the errors that it computes.
    """
    sums = {point.name: OutputSums() for point in chosen}
    for sample in samples if chosen else ():
        expected, outputs = reference_values(graphs, sample[0])
        results = _own_results(graphs, sample, expected, chosen, quantized)
        del expected
        for point in chosen:
            got = graphs.reference(sample[0], _put({point.reference: results[point.name]}))
            sums[point.name].add(outputs, got)
    return {name: one.fidelity for name, one in sums.items()}


def _own_results(
    graphs: Graphs, sample: Sample, expected: Values, chosen: Sequence[LayerPoint], quantized: bool
) -> Values:
    """Return what each chosen layer of the program makes of eager's inputs."""
    import torch

    observed = of_observed(graphs.points)
    wanted = {point.observed[0] if quantized else point.name: point.name for point in chosen}
    results: Values = {}

    def look(name: str, value: torch.Tensor) -> torch.Tensor | None:
        if name in wanted:
            results[wanted[name]] = value.detach().to(torch.float32).clone()
        return expected[observed[name].name].to(value.dtype).clone() if name in observed else None

    graphs.program(sample[1], look)
    return results


def kept(
    graphs: Graphs, samples: Sequence[Sample], chosen: Sequence[LayerPoint], keep: Mapping[str, tuple[str, ...]]
) -> dict[str, Fidelity]:
    """Return the model's output where all but one layer are as in the program, for each chosen one."""
    sums = {point.name: OutputSums() for point in chosen}
    for sample in samples if chosen else ():
        outputs = graphs.reference(sample[0])
        in_float = _results_in_float(graphs, sample, chosen)
        for point in chosen:
            # The result of a layer that is kept alone is quantized all the same where the next one does so.
            again = len(keep[point.name]) == 1 and any(takers(point, graphs.points))
            places = (point.name,) if again else point.observed
            got = graphs.program(sample[1], _put(dict.fromkeys(places, in_float[point.name])))
            sums[point.name].add(outputs, got)
    return {name: one.fidelity for name, one in sums.items()}


def _results_in_float(graphs: Graphs, sample: Sample, chosen: Sequence[LayerPoint]) -> Values:
    """Return what eager's operators make of the program's inputs of each chosen layer."""
    import torch

    observed, by_reference = of_observed(graphs.points), {point.reference: point for point in graphs.points}
    come: Values = {}

    def keep(name: str, value: torch.Tensor) -> None:
        point = observed.get(name)
        if point is not None and name == point.observed[0]:
            come[point.name] = value.detach().to(torch.float32).clone()

    graphs.program(sample[1], keep)
    wanted = {point.name for point in chosen}
    made: Values = {}

    def look(name: str, value: torch.Tensor) -> torch.Tensor | None:
        point = by_reference.get(name)
        if point is None:
            return None
        if point.name in wanted:
            made[point.name] = value.detach().clone()
        return come[point.name].to(value.dtype).clone()

    graphs.reference(sample[0], look)
    return made


def _put(values: Values) -> Look:
    """Return a look at a run that puts these in the place of the results of these names."""

    def look(name: str, value: torch.Tensor) -> torch.Tensor | None:
        return values[name].to(value.dtype).clone() if name in values else None

    return look
