# SPDX-License-Identifier: Apache-2.0
"""Threads that do not pay: another thread count of the same experiment is faster."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import geometric_mean

from model_profiling.analysis.advice.candidate import AdvisedSide, Candidate
from model_profiling.analysis.advice.opportunity import MEASURED
from model_profiling.analysis.comparing.sides import MeasuredSide, launch_median_ms
from model_profiling.unpaired_statistics import estimate

THREADS = "threads"


def threads(advised: AdvisedSide) -> Iterator[Candidate]:
    """Propose the fastest other thread count, where its launches are faster beyond their interval."""
    here, best = _times(advised.side), None
    for other in advised.others:
        ratio = estimate(here, _times(other))
        if ratio.high is not None and ratio.high < 1 and (best is None or ratio.ratio < best[1].ratio):
            best = other, ratio
    if best is None:
        return
    other, ratio = best
    time = geometric_mean(here)
    bounds = {place: ms * ratio.ratio for place, ms in advised.costs.ms.items()}
    assert ratio.low is not None and ratio.high is not None  # as it was chosen
    facts = {"threads": str(other.threads)}
    ends = time * (1 - ratio.high), time * (1 - ratio.low)
    yield Candidate(f"{THREADS}-{other.threads}", THREADS, MEASURED, bounds, facts, ends)


def _times(side: MeasuredSide) -> list[float]:
    return [launch_median_ms(launch) for launch in side.launches]
