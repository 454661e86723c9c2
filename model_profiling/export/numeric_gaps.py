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

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from model_profiling.export.graph_pair import Graphs, OutputSums, array_of, of_observed, reference_values
from model_profiling.export.layer_contributions import alone, kept
from model_profiling.export.layer_points import LayerPoint, takers
from model_profiling.export.recipe import Recipe
from model_profiling.numeric_gap import LayerGap
from model_profiling.signal_error import ErrorSums, Fidelity

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from model_profiling.export.graph_pair import Sample

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
class MeasuredLayers:
    """Layers, the one that costs most first, each with its point; and the graph's output beside eager's."""

    layers: tuple[tuple[LayerPoint, LayerGap], ...]
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
    output = OutputSums()
    for sample in samples:
        _compare(graphs, sample, sums, output)
    suspects = sorted(graphs.points, key=lambda point: -sums[point.name].lost)
    chosen = [point for point in suspects if not sums[point.name].local.fidelity.exact]
    chosen = chosen[: _affordable((work or _UNKNOWN_WORK) * len(samples))]
    by_itself = alone(graphs, samples, chosen)
    ranked = sorted(chosen, key=lambda point: -by_itself[point.name].badness)
    worst_ones = ranked[:KEPT_LAYERS]
    computed = by_itself | alone(graphs, samples, [point for point in worst_ones if point.quantized], quantized=False)
    keep = {one.name: _keep(one, by_itself[one.name], computed[one.name], graphs.points, recipe) for one in worst_ones}
    without = kept(graphs, samples, worst_ones, keep)
    measured = {point.name for point in chosen}
    others = [point for point in suspects if point.name not in measured]
    layers = [
        replace(
            sums[point.name].gap(point),
            alone=by_itself.get(point.name),
            kept=without.get(point.name),
            keep=keep.get(point.name, ()),
        )
        for point in (*ranked, *others)
    ]
    return MeasuredLayers(tuple(zip((*ranked, *others), layers, strict=True)), output.fidelity)


class _PointSums:
    """What is added up for a layer over the samples."""

    def __init__(self) -> None:
        self.output, self.local, self.lost = ErrorSums(), ErrorSums(), 0.0

    def gap(self, point: LayerPoint) -> LayerGap:
        return LayerGap(
            point.called, point.operators, point.module, point.source, self.output.fidelity, self.local.fidelity
        )


def _compare(graphs: Graphs, sample: Sample, sums: Mapping[str, _PointSums], output: OutputSums) -> None:
    """Add a sample's errors to the sums: those at each layer's result, and those that each layer makes itself."""
    expected, outputs = reference_values(graphs, sample[0])
    observed = of_observed(graphs.points)

    def come_this_far(name: str, value: torch.Tensor) -> None:
        point = observed.get(name)
        if point is not None and name == point.observed[0]:
            sums[point.name].output.add(array_of(expected[point.name]), array_of(value))

    output.add(outputs, graphs.program(sample[1], come_this_far))

    def own_error(name: str, value: torch.Tensor) -> torch.Tensor | None:
        point = observed.get(name)
        if point is None:
            return None
        if name == point.observed[0]:
            right, wrong = array_of(expected[point.name]), array_of(value)
            sums[point.name].local.add(right, wrong)
            sums[point.name].lost += _lost(right, wrong)
        return expected[point.name].to(value.dtype).clone()

    graphs.program(sample[1], own_error)


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


def _keep(
    point: LayerPoint, whole: Fidelity, computed: Fidelity, among: Sequence[LayerPoint], recipe: Recipe
) -> tuple[str, ...]:
    """Return what has to stay in float for this layer's error to go, as `--keep-float` takes it.

    Parameters
    ----------
    whole, computed : the model's output with the layer's error alone, with and without what quantizes its result.
    """
    if not recipe.quantizes:
        return ()
    others = [] if computed.badness >= _OWN_SHARE * whole.badness else list(takers(point, among))
    return tuple(dict.fromkeys(_named(one, among, recipe) for one in (point, *others)))


def _named(point: LayerPoint, among: Sequence[LayerPoint], recipe: Recipe) -> str:
    """Return a layer's module where it is the only one there, else its operator's name."""
    inside = [one for one in among if one.module == point.module or one.module.startswith(f"{point.module}.")]
    alone = point.module and len(inside) == 1
    return point.module if alone or (recipe.weights is not None and point.module) else point.called
