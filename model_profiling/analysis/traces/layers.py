# SPDX-License-Identifier: Apache-2.0
"""From operator events to layers: which part of the model each event belongs to, and what it costs.

A layer is a node of a delegate's graph or an operator outside the delegates. Events are
tied to nodes by their order (`alignment`), nodes to modules by what the export wrote down.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model_profiling.analysis.traces.alignment import align
from model_profiling.analysis.traces.etdump import Ints
from model_profiling.analysis.traces.operators import OPERATOR_CALL, delegated_operator, runtime_event
from model_profiling.analysis.traces.recording import Recording
from model_profiling.analysis.traces.timeline import Timeline
from model_profiling.pipeline.program.layers import GraphInstruction

_NS_PER_US = 1e3
_OPERATIONS_PER_MULTIPLY_ADD = 2


@dataclass(frozen=True)
class Layer:
    """One layer of a model. `layer` identifies it in every run of the same .pte and says what it is.

    It is the instruction's number and the node's within its delegate, then the submodule's
    path where the export recorded it, and what the layer does: "0.4 wide (3x3 conv, 64->64,
    48x48)". `multiply_adds` counts one execution; shapes are in XNNPACK's order (NHWC).
    """

    layer: str
    module: str
    kind: str
    detail: str
    inputs: str
    output: str
    delegated: int
    matrix: int
    multiply_adds: int
    source: str


@dataclass(frozen=True)
class LayerCost:
    """What a layer costs over all traced executions; times in us for one execution, packing included.

    `gflops` is 2 times multiply-adds over the median time, in 10^9 operations a second,
    None where the layer has no multiply-adds or its time rounds to zero.
    """

    operators: str
    median_us: float
    p10_us: float
    p90_us: float
    gflops: float | None
    pct_of_run: float


@dataclass(frozen=True)
class LayerStats:
    """A layer and what it costs."""

    layer: Layer
    cost: LayerCost


def model_layers(graph: Sequence[GraphInstruction]) -> tuple[Layer, ...]:
    """Return the layers of a model in execution order."""
    return tuple(layer for instruction in graph for layer in _instruction_layers(instruction))


def _instruction_layers(instruction: GraphInstruction) -> Iterator[Layer]:
    index = instruction.index
    if not instruction.nodes:
        kernel, module = _kernel(instruction), instruction.module
        title = f"{index} {_title(module, kernel)}"
        work = instruction.multiply_adds
        yield Layer(title, module, kernel, "outside XNNPACK", "", "", 0, int(work > 0), work, instruction.source)
    for number, node in enumerate(instruction.nodes):
        yield Layer(
            layer=f"{index}.{number} {_title(node.module, node.detail)}",
            module=node.module,
            kind=node.kind,
            detail=node.detail,
            inputs=" ".join(map(_shape, node.inputs)),
            output=_shape(node.output),
            delegated=1,
            matrix=int(node.is_matrix),
            multiply_adds=node.multiply_adds,
            source=node.source,
        )


def _kernel(instruction: GraphInstruction) -> str:
    return instruction.name.rpartition("::")[2]


def attribute(timeline: Timeline, graph: Sequence[GraphInstruction]) -> Ints:
    """Return each row's layer as a position in `model_layers(graph)`, -1 for containers and unknown ones."""
    layer = np.full(len(timeline), -1, np.int64)
    first, placed = 0, {}
    for instruction in graph:
        placed[instruction.index] = (first, instruction)
        first += max(len(instruction.nodes), 1)
    rows = np.flatnonzero(timeline.leaf & np.isin(timeline.instruction, list(placed)))
    if len(rows) == 0:
        return layer
    known: dict[tuple[int, bytes], Ints] = {}
    call = timeline.run[rows] * (max(placed) + 1) + timeline.instruction[rows]
    for group in np.split(rows, np.flatnonzero(np.diff(call)) + 1):
        number = int(timeline.instruction[group[0]])
        start, instruction = placed[number]
        names = timeline.name[group]
        key = (number, names.tobytes())
        if key not in known:
            known[key] = _places(instruction, [timeline.names[n] for n in names])
        place = known[key]
        layer[group] = np.where(place < 0, -1, start + place)
    return layer


def _places(instruction: GraphInstruction, names: Sequence[str]) -> Ints:
    if instruction.nodes:
        tied = align([n.kind for n in instruction.nodes], [delegated_operator(name).operator for name in names])
        return np.array(tied.node, np.int64)
    # What the runtime itself computes, as on sizes, has no native call within.
    own = (_kernel(instruction), OPERATOR_CALL)
    return np.array([0 if runtime_event(name).operator in own else -1 for name in names], np.int64)


def times_per_run(recording: Recording, layers: int) -> NDArray[np.float64]:
    """Return the time of each layer in each execution of a recording: layers x runs, ns."""
    t, layer_of = recording.timeline, recording.layers
    mine = layer_of >= 0
    cell_of = layer_of[mine] * t.runs + t.run[mine]
    return np.bincount(cell_of, t.duration_ns[mine], layers * t.runs).astype(np.float64).reshape(layers, t.runs)


def events_per_run(recording: Recording, layers: int) -> list[int]:
    """Return how many operators each layer runs as in one execution, packing included."""
    first = recording.layers[(recording.layers >= 0) & (recording.timeline.run == 0)]
    return [int(count) for count in np.bincount(first, minlength=layers)]


def attributed_share(recordings: Sequence[Recording]) -> float:
    """Return which share of the operators' traced time is tied to a layer, 0 to 1."""
    whole = sum(float(r.timeline.duration_ns[r.timeline.leaf].sum()) for r in recordings)
    tied = sum(float(r.timeline.duration_ns[r.layers >= 0].sum()) for r in recordings)
    return tied / whole if whole else 1.0


def layer_stats(recordings: Sequence[Recording], layers: Sequence[Layer]) -> list[LayerStats]:
    """Return what each layer costs, in execution order.

    A layer that is fused into another has no events of its own and therefore no row.
    """
    times = np.concatenate([times_per_run(r, len(layers)) for r in recordings], axis=1)
    method = np.concatenate([r.timeline.method_ns for r in recordings]).astype(float)
    operators = _operators(recordings)
    percentiles = (np.percentile(times, (10, 50, 90), axis=1) / _NS_PER_US).T.tolist()
    stats = []
    for number, layer in enumerate(layers):
        if number not in operators:
            continue
        p10, median, p90 = percentiles[number]
        speed = _OPERATIONS_PER_MULTIPLY_ADD * layer.multiply_adds / (median * _NS_PER_US) if median else 0.0
        share = float(np.mean(times[number] / np.maximum(method, 1)))
        stats.append(LayerStats(layer, LayerCost(operators[number], median, p10, p90, speed or None, 100 * share)))
    return stats


def _operators(recordings: Sequence[Recording]) -> dict[int, str]:
    """Return the names of each layer's events, in order, joined by " + "."""
    names: dict[int, dict[str, None]] = {}
    for recording in recordings:
        t = recording.timeline
        for row in np.flatnonzero((t.run == 0) & (recording.layers >= 0)).tolist():
            names.setdefault(int(recording.layers[row]), {})[t.names[t.name[row]].partition(" #")[0]] = None
    return {layer: " + ".join(held) for layer, held in names.items()}


def _title(module: str, detail: str) -> str:
    return f"{module} ({detail})" if module else detail


def _shape(dims: Sequence[int]) -> str:
    return "x".join(map(str, dims))
