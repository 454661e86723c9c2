# SPDX-License-Identifier: Apache-2.0
"""What each place of a program costs in one execution, and what a process's start costs.

A place is a layer, or the call of an instruction: what the delegate or operator call took that its own operators do
not account for. Every nanosecond is of one place at most, so that what is saved at different places adds up. A start
has two places: loading, and the first execution.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import geometric_mean

import numpy as np

from model_profiling.analysis.comparing.sides import MeasuredSide
from model_profiling.analysis.traces.layers import times_per_run
from model_profiling.analysis.traces.operators import DELEGATE_CALL, OPERATOR_CALL
from model_profiling.analysis.traces.recording import Recording

LAYER, CALL = "layer", "call"
#: A layer by its position in the program's layers, a call by its instruction's number, or a part of the start.
Place = tuple[str, int]
LOADING, FIRST_EXECUTION = ("loading", 0), ("first execution", 0)
_NS_PER_MS = 1e6


@dataclass(frozen=True)
class Costs:
    """ms of each place in one execution, of `time_ms` for the whole."""

    time_ms: float
    ms: Mapping[Place, float]

    def of(self, places: Iterable[Place]) -> float:
        """Return what places cost together, ms."""
        return sum(self.ms.get(place, 0.0) for place in places)


def loads_ms(side: MeasuredSide) -> list[float]:
    """Return how long each launch took to load the program, ms; of those that measured it."""
    return [launch.load_ms for launch in side.launches if launch.load_ms]


def first_executions_ms(side: MeasuredSide) -> list[float]:
    """Return the time of each launch's first execution, ms."""
    return [launch.warmup_ns[0] / _NS_PER_MS for launch in side.launches if launch.warmup_ns]


def start_ms(side: MeasuredSide) -> dict[Place, float]:
    """Return what each place of a start costs: the geometric mean over launches, ms."""
    times = {LOADING: loads_ms(side), FIRST_EXECUTION: first_executions_ms(side)}
    return {place: geometric_mean(held) for place, held in times.items() if held}


def costs_of(side: MeasuredSide, time_ms: float) -> Costs:
    """Return what each place of a traced side costs: its mean share of an execution times `time_ms`.

    Shares are of traced executions, in which the tracer takes a part too; `time_ms` is that of an execution without.
    """
    shares: dict[Place, list[float]] = {}
    runs = sum(recording.timeline.runs for recording in side.recordings)
    for recording in side.recordings:
        for place, summed in _shares(recording, len(side.program.layers)):
            shares.setdefault(place, []).append(summed)
    return Costs(time_ms, {place: time_ms * sum(held) / runs for place, held in shares.items()})


def _shares(recording: Recording, layers: int) -> Iterable[tuple[Place, float]]:
    """Yield each place with its shares of the executions of a recording, summed."""
    t = recording.timeline
    method = np.maximum(t.method_ns, 1).astype(float)
    for number, share in enumerate((times_per_run(recording, layers) / method).sum(axis=1).tolist()):
        if share:
            yield (LAYER, number), share
    weight = t.duration_ns / method[t.run]
    named = np.array([name in (DELEGATE_CALL, OPERATOR_CALL) for name in t.names], bool)[t.name]
    inside = t.leaf & ~named
    size = int(t.instruction.max(initial=0)) + 1
    counted = named & (t.instruction >= 0)
    calls = np.bincount(t.instruction[counted], weight[counted], size)
    within = inside & (t.instruction >= 0)
    operators = np.bincount(t.instruction[within], weight[within], size)
    for instruction in np.unique(t.instruction[counted]).tolist():
        # The clock of a delegate's operators counts whole microseconds, so they may come to more than their call.
        yield (CALL, instruction), max(float(calls[instruction] - operators[instruction]), 0.0)
