# SPDX-License-Identifier: Apache-2.0
"""Which KleidiAI kernels each operator and layer called, and how much of a model reaches SME2. Pure.

With its profiler on, XNNPACK reads the clock once before the first operator of a delegate's
execution and once after each. The auditor recorded these readings among the kernel calls, so
calls belong to operators by their order alone: between one reading and the next lie the calls
of one operator, which is the next event of that delegate call in the ETDump. A concatenation
is one event of several operators, one for each part (XNNPACK's runtime.c). No time is compared.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass

import numpy as np

from model_profiling.analysis.kernels.entries import Coverage, MatrixLayer
from model_profiling.analysis.kernels.record import CLOCK, KERNEL_PREFIX, KernelRecord
from model_profiling.analysis.tables.kernels import CALLED, KernelRow
from model_profiling.analysis.traces.etdump import Ints
from model_profiling.analysis.traces.layers import Layer, attribute
from model_profiling.analysis.traces.operators import DELEGATE_CALL
from model_profiling.analysis.traces.timeline import Timeline
from model_profiling.errors import UserError
from model_profiling.pipeline.kernel_names import COMPUTE, SME2, family_of, role_of
from model_profiling.pipeline.program.layers import GraphInstruction

#: Stands for an operator where kernels were called while the model was loaded: weight packing.
LOADING = "(loading)"

#: How many operators one event of a node's kind stands for; one, where it is not here.
_PARTS = {f"Concatenate{n}": n for n in (2, 3, 4, 5)}


@dataclass(frozen=True)
class KernelUse:
    """One kernel of one operator, or an operator without any: then `kernel` is "" and `calls` 0.

    `layer` is as in the layer table, "" where it is not known. `calls` are those of all
    executions recorded: one, where the kit made the record.
    """

    layer: str
    operator: str
    kernel: str
    family: str
    role: str
    calls: int
    evidence: str = CALLED


def kernel_rows(model_id: str, experiment: str, uses: Sequence[KernelUse]) -> list[KernelRow]:
    """Return the rows of an experiment's kernel table."""
    return [KernelRow(model_id, experiment, *astuple(use)) for use in uses]


def kernel_uses(
    record: KernelRecord, timeline: Timeline, graph: Sequence[GraphInstruction], layers: Sequence[Layer], where: str
) -> tuple[KernelUse, ...]:
    """Return the kernels of every operator, in execution order, then those called while loading.

    Their calls add up to the record's. `timeline` holds all executions that the process made;
    `layers` are those of `graph`.

    Raises
    ------
    UserError : the record is not of the process that wrote the trace; `where` names it.
    """
    layer_of = attribute(timeline, graph) if graph else np.full(len(timeline), -1)
    operator_of = _operators_after_readings(timeline, layers, layer_of)
    readings, calls = record.positions(CLOCK), record.positions(KERNEL_PREFIX)
    if len(readings) != len(operator_of):
        raise UserError(
            f"the record holds {len(readings)} readings of XNNPACK's clock where the trace's executions "
            f"make {len(operator_of)}",
            f"in {where}",
            "record kernels and trace in the same launch",
        )
    slot = np.searchsorted(readings, calls) - 1
    row = np.where(slot < 0, -1, operator_of[slot]) if len(readings) else np.full(len(calls), -1)
    if ((row < 0) & (slot >= 0)).any():
        raise UserError(
            "the record holds kernel calls between a delegate's executions",
            f"in {where}",
            "record the load of the model and its executions alone",
        )
    keys = {
        leaf: (layers[layer_of[leaf]].layer if layer_of[leaf] >= 0 else "", timeline.names[timeline.name[leaf]])
        for leaf in np.flatnonzero(timeline.leaf).tolist()
    }
    return (*_uses_of_operators(record, keys, row, calls), *_uses_while_loading(record, calls[row < 0]))


def _operators_after_readings(timeline: Timeline, layers: Sequence[Layer], layer_of: Ints) -> Ints:
    """Return the row of the operator that follows each clock reading, -1 after a delegate's last operator."""
    call = np.array([name == DELEGATE_CALL for name in timeline.names], bool)[timeline.name]
    rows = np.flatnonzero(timeline.leaf & timeline.delegated & ~call)
    if len(rows) == 0:
        return np.empty(0, np.int64)
    following: list[int] = []
    ends = np.flatnonzero(np.diff(timeline.run[rows]) | np.diff(timeline.parent[rows])) + 1
    for events in np.split(rows, ends):
        events_of = Counter(layer_of[events].tolist())
        for row in events.tolist():
            layer = int(layer_of[row])
            parts = _PARTS.get(layers[layer].kind, 1) if layer >= 0 and events_of[layer] == 1 else 1
            following += [row] * parts
        following.append(-1)
    return np.array(following, np.int64)


def _uses_of_operators(
    record: KernelRecord, keys: Mapping[int, tuple[str, str]], row: Ints, calls: Ints
) -> Iterable[KernelUse]:
    """Yield the kernels of each operator; `keys` holds layer and operator of the timeline's rows."""
    calls_of: dict[tuple[str, str], dict[str, int]] = {key: {} for key in keys.values()}
    for leaf, call in zip(row.tolist(), calls.tolist(), strict=True):
        if leaf >= 0:
            kernels, kernel = calls_of[keys[leaf]], record.names[record.name[call]]
            kernels[kernel] = kernels.get(kernel, 0) + 1
    for (layer, operator), kernels in calls_of.items():
        if not kernels:
            yield KernelUse(layer, operator, "", "", "", 0)
        for kernel, count in kernels.items():
            yield _use(layer, operator, kernel, count)


def _uses_while_loading(record: KernelRecord, calls: Ints) -> Iterable[KernelUse]:
    numbers, counts = np.unique(record.name[calls], return_counts=True)
    for number, count in zip(numbers.tolist(), counts.tolist(), strict=True):
        yield _use("", LOADING, record.names[number], count)


def _use(layer: str, operator: str, kernel: str, calls: int) -> KernelUse:
    return KernelUse(layer, operator, kernel, family_of(kernel), role_of(kernel), calls)


def reached(uses: Iterable[KernelUse], families: Sequence[str] = (SME2,)) -> frozenset[str]:
    """Return the layers that compute with kernels of `families`: packing alone does not count."""
    return frozenset(use.layer for use in uses if use.layer and use.role == COMPUTE and use.family in families)


def coverage_of(layers: Sequence[Layer], chosen: Container[str]) -> Coverage:
    """Return how much of a model's matrix layers the `chosen` layers are."""
    matrix = [layer for layer in layers if layer.matrix]
    mine = [layer for layer in matrix if layer.layer in chosen]
    return Coverage(
        len(mine), len(matrix), sum(layer.multiply_adds for layer in mine), sum(layer.multiply_adds for layer in matrix)
    )


def coverage(layers: Sequence[Layer], uses: Sequence[KernelUse], families: Sequence[str] = (SME2,)) -> Coverage:
    """Return how much of a model computes with kernels of `families`."""
    return coverage_of(layers, reached(uses, families))


def matrix_layers(
    layers: Sequence[Layer], uses: Sequence[KernelUse], families: Sequence[str] = (SME2,)
) -> tuple[MatrixLayer, ...]:
    """Return a model's matrix layers in execution order."""
    operators: dict[str, dict[str, None]] = {}
    for use in uses:
        operators.setdefault(use.layer, {})[use.operator.partition(" #")[0]] = None
    chosen = reached(uses, families)
    return tuple(
        MatrixLayer(x.layer, x.multiply_adds, tuple(operators.get(x.layer, ())), x.layer in chosen)
        for x in layers
        if x.matrix
    )


def missing(matrix: Iterable[MatrixLayer]) -> list[MatrixLayer]:
    """Return the matrix layers that compute without the family, the largest first."""
    return sorted((layer for layer in matrix if not layer.reached), key=lambda layer: -layer.multiply_adds)


def compute_kernels(uses: Sequence[KernelUse]) -> dict[str, tuple[KernelUse, ...]]:
    """Return the computing kernels of each layer that calls any."""
    computing: dict[str, list[KernelUse]] = {}
    for use in uses:
        if use.role == COMPUTE:
            computing.setdefault(use.layer, []).append(use)
    return {layer: tuple(held) for layer, held in computing.items()}
