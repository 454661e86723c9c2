# SPDX-License-Identifier: Apache-2.0
"""What of a run is followed over time: its name, its value in a row, and which change of it is a change. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from model_profiling.analysis.advice.shipping import MEMORY_RESOLUTION
from model_profiling.analysis.history.rows import HistoryRow


@dataclass(frozen=True)
class TrendMetric:
    """A result that is followed.

    Of an `exact` one, which is the same in every run of one program, each difference of more than `least` is a change;
    of others `least` is the smallest noise that is believed. Both are relative. `worse` is 1 where more is worse, -1
    where less is. What is `gated` can fail a build.
    """

    name: str
    value: Callable[[HistoryRow], float | None]
    least: float
    exact: bool = False
    worse: int = 1
    gated: bool = True


LATENCY = TrendMetric("latency", lambda row: row.latency_ms, 0.002)
LOAD = TrendMetric("load", lambda row: row.load_ms, 0.01)
#: Peaks within `MEMORY_RESOLUTION` of each other say nothing: five times the noise that is believed.
MEMORY = TrendMetric("memory", lambda row: row.memory_mib, MEMORY_RESOLUTION / 5)
SIZE = TrendMetric("size", lambda row: row.size_bytes, 0.001, exact=True)
COVERAGE = TrendMetric("coverage", lambda row: row.coverage, 0.001, exact=True, worse=-1, gated=False)
#: Two exports of one model differ in the order of their additions.
ERROR = TrendMetric("error", lambda row: row.error, 0.1, exact=True, gated=False)
METRICS = (LATENCY, LOAD, MEMORY, SIZE, COVERAGE, ERROR)
#: What other programs on the machine make worse.
TIMED = (LATENCY, LOAD)
