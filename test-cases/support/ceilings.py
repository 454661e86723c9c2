# SPDX-License-Identifier: Apache-2.0
"""Ceilings made up, and a side whose layers took times that are known."""

from __future__ import annotations

from collections.abc import Sequence

from model_profiling.analysis.comparing.sides import MeasuredSide
from model_profiling.analysis.program_layers import ProgramLayers
from model_profiling.analysis.traces.etdump import parse_etdump
from model_profiling.analysis.traces.layers import attribute
from model_profiling.analysis.traces.operators import METHOD
from model_profiling.analysis.traces.recording import Recording
from model_profiling.analysis.traces.timeline import build_timeline
from model_profiling.pipeline.ceilings import COPY, READ, UPDATE, Ceilings, MemoryRate, SideCeilings
from model_profiling.pipeline.program.layers import GraphInstruction, Node
from support.etdump import Block, Event, operator, write_etdump

_US = 1000

#: A machine with 100 GFLOP/s, 50 without the feature, 10 GB/s from memory and 50 from the caches.
RATES = (
    MemoryRate(COPY, 1_000_000, 50.0),
    MemoryRate(COPY, 100_000_000, 10.0),
    MemoryRate(UPDATE, 100_000_000, 20.0),
    MemoryRate(READ, 50_000_000, 16.0),
)
CEILINGS = Ceilings(
    "2026-01-01T00:00:00.000Z",
    {"cpu": "CPU", "executorch": "1.5.1"},
    (SideCeilings(("on",), 1, True, {"fp32": 100.0}, RATES), SideCeilings(("off",), 1, False, {"fp32": 50.0}, RATES)),
)


def measured_side(
    experiment: str, nodes: Sequence[Node], times: Sequence[tuple[str, int]], executions: int = 3
) -> MeasuredSide:
    """Return a side of one launch whose nodes ran as these operators and took so many us, in each execution."""
    events = [operator(f"{name} #{number}", 0, us * _US) for number, (name, us) in enumerate(times, 1)]
    whole = Event(METHOD, -1, None, start=0, end=sum(us for _, us in times) * _US + _US)
    trace = write_etdump([Block("Execute", (*events, whole))] * executions)
    timeline = build_timeline(parse_etdump(trace, "test"), "test")
    program = ProgramLayers((GraphInstruction(0, "XnnpackBackend", "", "", tuple(nodes)),))
    recording = Recording(timeline, 0, attribute(timeline, program.graph), program.names)
    return MeasuredSide(experiment, 1, (), (recording,), None, program)
