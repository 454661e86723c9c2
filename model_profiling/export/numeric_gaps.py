# SPDX-License-Identifier: Apache-2.0
"""Where a program loses accuracy: each layer of the captured graph beside eager's, and what it costs by itself.

PyTorch runs the graph that was lowered, quantization included, so that every layer shows, inside of delegates too.
Four kinds of runs:

- eager's graph, and the program's graph: how far each layer's result has come;
- the program's graph, each layer given eager's inputs: the error that it makes itself;
- eager's graph with one layer's own error in it: what this layer alone costs the model's output;
- the program's graph with one layer as eager computes it: what the output is without that error.

The first two are one run each for all layers; the others one for each layer, so their number is bounded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from model_profiling.export.graph_run import GraphRun
from model_profiling.export.layer_points import Point, points, takers
from model_profiling.export.recipe import Recipe
from model_profiling.numeric_gap import LayerGap
from model_profiling.signal_error import ErrorSums, Fidelity, worst

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from model_profiling.export.graph_run import Look

    #: Flat inputs of a sample, in float32 and in the recipe's types.
    Sample = tuple[Sequence[torch.Tensor], Sequence[torch.Tensor]]
    Values = dict[str, torch.Tensor]

_Sample = TypeVar("_Sample")
#: Samples that are compared, spread over those that there are.
MOST_SAMPLES = 4
#: Multiply-adds that runs for own contributions may take together: about half a minute at 10 billion a second.
CONTRIBUTION_WORK = 3e11
#: Layers whose own contribution is measured whatever it takes, those that seem to lose most first; most that are.
FEWEST_LAYERS, MOST_LAYERS = 8, 400
#: The worst layers of which it is also measured what keeping them in float gives.
KEPT_LAYERS = 8
#: What a model counts for whose multiply-adds are not known.
_UNKNOWN_WORK = 1e9
#: The share of a layer's own noise that its weights and inputs have at least, where keeping it alone is worth advice.
_OWN_SHARE = 0.5


@dataclass(frozen=True)
class Graphs:
    """The model's graph in float32 beside the one that was lowered, with their common layers."""

    reference: GraphRun
    program: GraphRun
    points: tuple[Point, ...]

    @classmethod
    def of(cls, reference: torch.export.ExportedProgram, program: torch.export.ExportedProgram) -> Graphs:
        return cls(GraphRun(reference), GraphRun(program), points(reference.graph, program.graph))


@dataclass(frozen=True)
class MeasuredLayers:
    """Layers, the one that costs most first, each with its point; and the graph's output beside eager's."""

    layers: tuple[tuple[Point, LayerGap], ...]
    output: Fidelity


def spread(samples: Sequence[_Sample]) -> list[_Sample]:
    """Return at most `MOST_SAMPLES` samples: the first, the last, and those evenly between."""
    last, parts = len(samples) - 1, MOST_SAMPLES - 1
    if last < MOST_SAMPLES:
        return list(samples)
    return [samples[round(number * last / parts)] for number in range(MOST_SAMPLES)]


def measure(graphs: Graphs, samples: Sequence[Sample], recipe: Recipe, work: int | None) -> MeasuredLayers:
    """Compare the two graphs layer by layer.

    Parameters
    ----------
    work : the model's multiply-adds, None where they are not known.
    """
    sums = {point.name: _PointSums() for point in graphs.points}
    output = _OutputSums()
    for sample in samples:
        _compare(graphs, sample, sums, output)
    suspects = sorted(graphs.points, key=lambda point: -sums[point.name].lost)
    chosen = [point for point in suspects if not sums[point.name].local.fidelity.exact]
    chosen = chosen[: _affordable((work or _UNKNOWN_WORK) * len(samples))]
    alone = _alone(graphs, samples, chosen)
    ranked = sorted(chosen, key=lambda point: -alone[point.name].badness)
    worst_ones = ranked[:KEPT_LAYERS]
    computed = alone | _alone(graphs, samples, [point for point in worst_ones if point.quantized], quantized=False)
    keep = {one.name: _keep(one, alone[one.name], computed[one.name], graphs.points, recipe) for one in worst_ones}
    kept = _kept(graphs, samples, worst_ones, keep)
    measured = {point.name for point in chosen}
    others = [point for point in suspects if point.name not in measured]
    layers = [
        replace(
            sums[point.name].gap(point),
            alone=alone.get(point.name),
            kept=kept.get(point.name),
            keep=keep.get(point.name, ()),
        )
        for point in (*ranked, *others)
    ]
    return MeasuredLayers(tuple(zip((*ranked, *others), layers, strict=True)), output.fidelity)


class _PointSums:
    """What is added up for a layer over the samples."""

    def __init__(self) -> None:
        self.output, self.local, self.lost = ErrorSums(), ErrorSums(), 0.0

    def gap(self, point: Point) -> LayerGap:
        return LayerGap(
            point.called, point.operators, point.module, point.source, self.output.fidelity, self.local.fidelity
        )


class _OutputSums:
    """Errors of each output of a model; the worst counts."""

    def __init__(self) -> None:
        self._sums: dict[int, ErrorSums] = {}

    def add(self, reference: Sequence[torch.Tensor], got: Sequence[torch.Tensor]) -> None:
        floating = [number for number, value in enumerate(reference) if value.is_floating_point()]
        for number in floating or range(len(reference)):
            self._sums.setdefault(number, ErrorSums()).add(_array(reference[number]), _array(got[number]))

    @property
    def fidelity(self) -> Fidelity:
        return worst(one.fidelity for one in self._sums.values())


def output_fidelity(reference: Sequence[Sequence[torch.Tensor]], got: Sequence[Sequence[torch.Tensor]]) -> Fidelity:
    """Return how far the outputs of all samples are from eager's, of several outputs the worst.

    Floating-point ones decide; integer ones count where a model has nothing else.
    """
    sums = _OutputSums()
    for first, second in zip(reference, got, strict=True):
        sums.add(first, second)
    return sums.fidelity


def _compare(graphs: Graphs, sample: Sample, sums: Mapping[str, _PointSums], output: _OutputSums) -> None:
    """Add a sample's errors to the sums: those at each layer's result, and those that each layer makes itself."""
    expected, outputs = reference_values(graphs, sample[0])
    of_observed = _of_observed(graphs.points)

    def come_this_far(name: str, value: torch.Tensor) -> None:
        point = of_observed.get(name)
        if point is not None and name == point.observed[0]:
            sums[point.name].output.add(_array(expected[point.name]), _array(value))

    output.add(outputs, graphs.program(sample[1], come_this_far))

    def own_error(name: str, value: torch.Tensor) -> torch.Tensor | None:
        point = of_observed.get(name)
        if point is None:
            return None
        if name == point.observed[0]:
            right, wrong = _array(expected[point.name]), _array(value)
            sums[point.name].local.add(right, wrong)
            sums[point.name].lost += _lost(right, wrong)
        return expected[point.name].to(value.dtype).clone()

    graphs.program(sample[1], own_error)


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


def _of_observed(among: Iterable[Point]) -> dict[str, Point]:
    return {name: point for point in among for name in point.observed}


def _lost(right: NDArray[np.float64], wrong: NDArray[np.float64]) -> float:
    """Return the mean over channels of noise over signal, at most 1 of each.

    A layer with one channel of large values has a good ratio as a whole although all its other channels are lost.
    """
    import numpy as np

    axis = 1 if right.ndim == 4 else -1  # of images the second
    if right.ndim == 0 or right.size == 0:
        return 0.0
    first, second = (np.moveaxis(one, axis, 0).reshape(right.shape[axis], -1) for one in (right, wrong))
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        signal, noise = np.square(first).sum(1), np.square(first - second).sum(1)
        ratio = np.where(noise == 0, 0.0, np.where(signal == 0, 1.0, noise / signal))
    return float(np.minimum(np.nan_to_num(ratio, nan=1.0), 1.0).mean())


def _affordable(work: float) -> int:
    """Return how many layers' own contributions may be measured, where each takes `work` multiply-adds."""
    return max(FEWEST_LAYERS, min(MOST_LAYERS, int(CONTRIBUTION_WORK / max(work, 1))))


def _alone(
    graphs: Graphs, samples: Sequence[Sample], chosen: Sequence[Point], quantized: bool = True
) -> dict[str, Fidelity]:
    """Return the model's output with each layer's own error alone in it.

    Parameters
    ----------
    quantized : whether with what quantizes the layer's result, or only with the errors that it computes.
    """
    sums = {point.name: _OutputSums() for point in chosen}
    for sample in samples if chosen else ():
        expected, outputs = reference_values(graphs, sample[0])
        results = _own_results(graphs, sample, expected, chosen, quantized)
        del expected
        for point in chosen:
            got = graphs.reference(sample[0], _put({point.reference: results[point.name]}))
            sums[point.name].add(outputs, got)
    return {name: one.fidelity for name, one in sums.items()}


def _own_results(graphs: Graphs, sample: Sample, expected: Values, chosen: Sequence[Point], quantized: bool) -> Values:
    """Return what each chosen layer of the program makes of eager's inputs."""
    import torch

    of_observed = _of_observed(graphs.points)
    wanted = {point.observed[0] if quantized else point.name: point.name for point in chosen}
    results: Values = {}

    def look(name: str, value: torch.Tensor) -> torch.Tensor | None:
        if name in wanted:
            results[wanted[name]] = value.detach().to(torch.float32).clone()
        return expected[of_observed[name].name].to(value.dtype).clone() if name in of_observed else None

    graphs.program(sample[1], look)
    return results


def _keep(point: Point, whole: Fidelity, computed: Fidelity, among: Sequence[Point], recipe: Recipe) -> tuple[str, ...]:
    """Return what has to stay in float for this layer's error to go, as `--keep-float` takes it.

    Parameters
    ----------
    whole, computed : the model's output with the layer's error alone, with and without what quantizes its result.
    """
    if not recipe.quantizes:
        return ()
    others = [] if computed.badness >= _OWN_SHARE * whole.badness else list(takers(point, among))
    return tuple(dict.fromkeys(_named(one, among, recipe) for one in (point, *others)))


def _named(point: Point, among: Sequence[Point], recipe: Recipe) -> str:
    """Return a layer's module where it is the only one there, else its operator's name."""
    inside = [one for one in among if one.module == point.module or one.module.startswith(f"{point.module}.")]
    alone = point.module and len(inside) == 1
    return point.module if alone or (recipe.weights is not None and point.module) else point.called


def _kept(
    graphs: Graphs, samples: Sequence[Sample], chosen: Sequence[Point], keep: Mapping[str, tuple[str, ...]]
) -> dict[str, Fidelity]:
    """Return the model's output where all but one layer are as in the program, for each chosen one."""
    sums = {point.name: _OutputSums() for point in chosen}
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


def _results_in_float(graphs: Graphs, sample: Sample, chosen: Sequence[Point]) -> Values:
    """Return what eager's operators make of the program's inputs of each chosen layer."""
    import torch

    of_observed, by_reference = _of_observed(graphs.points), {point.reference: point for point in graphs.points}
    come: Values = {}

    def keep(name: str, value: torch.Tensor) -> None:
        point = of_observed.get(name)
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


def _array(value: torch.Tensor) -> NDArray[np.float64]:
    import torch

    array: NDArray[np.float64] = value.detach().to(torch.float64).numpy()
    return array
