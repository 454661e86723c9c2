# SPDX-License-Identifier: Apache-2.0
"""What the start of a process costs before its first result: loading, and a first execution that is slower."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence

from model_profiling.analysis.advice.candidate import AdvisedSide, Candidate
from model_profiling.analysis.advice.costs import FIRST_EXECUTION, LOADING, first_executions_ms, loads_ms
from model_profiling.analysis.advice.opportunity import AMDAHL, MEASURED, START
from model_profiling.unpaired_statistics import time_interval

CONSTANTS, LOAD, FIRST = "constants", "loading", "first-execution"
#: A load that takes less than these many executions is soon forgotten.
_LOAD_IN_EXECUTIONS = 10.0
#: A first execution that takes less than this many times the others is within what launches differ by.
_SLOW_START = 1.5


def constants(advised: AdvisedSide) -> Iterator[Candidate]:
    """Propose to store no constants beside the weights, where they make the file larger than its weights should.

    They save at most their share of the file of loading: reading a byte of them costs no more than one of a weight,
    which is packed for its kernel besides.
    """
    made, loads = advised.exported, loads_ms(advised.side)
    beside = sum(one.bytes_beside_weights for one in made.constants)
    if not beside or not made.pte_bytes or not loads:
        return
    largest = max(made.constants, key=lambda one: one.bytes_beside_weights)
    facts = {
        "count": str(len(made.constants)),
        "bytes": str(beside),
        "file_bytes": str(made.pte_bytes),
        "name": largest.name,
        "stored": largest.kind,
        "module": largest.module,
        "line": largest.source,
    }
    share = min(beside / made.pte_bytes, 1.0)
    bounds = {LOADING: statistics.geometric_mean(loads) * (1 - share)}
    yield Candidate(CONSTANTS, CONSTANTS, AMDAHL, bounds, facts, per=START)


def loading(advised: AdvisedSide) -> Iterator[Candidate]:
    """Propose to load once, where loading takes as long as many executions: it packs weights each time."""
    loads = loads_ms(advised.side)
    if not loads or statistics.median(loads) < _LOAD_IN_EXECUTIONS * advised.costs.time_ms:
        return
    executions = round(statistics.geometric_mean(loads) / advised.costs.time_ms)
    facts = {"executions": str(executions), "bytes": str(advised.exported.pte_bytes or "")}
    yield Candidate(LOAD, LOAD, MEASURED, {LOADING: 0.0}, facts, time_interval(loads), START)


def first_execution(advised: AdvisedSide) -> Iterator[Candidate]:
    """Propose to execute once before the first user's input, where the first execution is much slower."""
    firsts, time = first_executions_ms(advised.side), advised.costs.time_ms
    if not firsts or statistics.median(firsts) < _SLOW_START * time:
        return
    yield Candidate(FIRST, FIRST, MEASURED, {FIRST_EXECUTION: time}, {}, _beyond(firsts, time), START)


def _beyond(times_ms: Sequence[float], time_ms: float) -> tuple[float, float] | None:
    ends = time_interval(times_ms)
    return None if ends is None else (ends[0] - time_ms, ends[1] - time_ms)
