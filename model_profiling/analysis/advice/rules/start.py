# SPDX-License-Identifier: Apache-2.0
"""What the start of a process costs before its first result: loading, and a first execution that is slower."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence

from model_profiling.analysis.advice.candidate import AdvisedSide, Candidate
from model_profiling.analysis.advice.opportunity import MEASURED, START
from model_profiling.unpaired_statistics import time_interval

LOADING, FIRST = "loading", "first-execution"
#: A load that takes less than these many executions is soon forgotten.
_LOAD_IN_EXECUTIONS = 10.0
#: A first execution that takes less than this many times the others is within what launches differ by.
_SLOW_START = 1.5
_NS_PER_MS = 1e6


def loading(advised: AdvisedSide) -> Iterator[Candidate]:
    """Propose to load once, where loading takes as long as many executions: it packs weights each time."""
    loads = [launch.load_ms for launch in advised.side.launches if launch.load_ms]
    if not loads or statistics.median(loads) < _LOAD_IN_EXECUTIONS * advised.costs.time_ms:
        return
    now = statistics.geometric_mean(loads)
    facts = {"executions": str(round(now / advised.costs.time_ms)), "bytes": str(advised.exported.pte_bytes or "")}
    yield Candidate(LOADING, LOADING, MEASURED, {}, facts, time_interval(loads), START, now)


def first_execution(advised: AdvisedSide) -> Iterator[Candidate]:
    """Propose to execute once before the first user's input, where the first execution is much slower."""
    firsts = [launch.warmup_ns[0] / _NS_PER_MS for launch in advised.side.launches if launch.warmup_ns]
    time = advised.costs.time_ms
    if not firsts or statistics.median(firsts) < _SLOW_START * time:
        return
    now = statistics.geometric_mean(firsts)
    yield Candidate(FIRST, FIRST, MEASURED, {}, {}, _beyond(firsts, time), START, now, time)


def _beyond(times_ms: Sequence[float], time_ms: float) -> tuple[float, float] | None:
    ends = time_interval(times_ms)
    return None if ends is None else (ends[0] - time_ms, ends[1] - time_ms)
