# SPDX-License-Identifier: Apache-2.0
"""What each operator costs over all executions of some launches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model_profiling.analysis.traces.recording import Recording
from model_profiling.analysis.traces.timeline import CATEGORY_NAMES, Timeline

_NS_PER_US, _NS_PER_MS = 1e3, 1e6


@dataclass(frozen=True)
class OperatorStats:
    """One operator over all executions, times as the columns' names say; a field is a column of the operators' table.

    Percentiles are of single calls. `total_ms_per_run` is the operator's mean share of an
    execution times the median execution, so that operators, categories and framework
    overhead add up to that median; `pct_of_run` is the share in percent.
    """

    name: str
    category: str
    delegated: int
    calls_per_run: float
    median_us: float
    p10_us: float
    p90_us: float
    total_ms_per_run: float
    pct_of_run: float


def operator_stats(recordings: Sequence[Recording]) -> list[OperatorStats]:
    """Return every operator over the executions of all recordings, the most expensive first."""
    keys: dict[tuple[str, str, int], int] = {}
    codes, durations, shares = [], [], []
    for recording in recordings:
        t = recording.timeline
        code, duration = _operator_codes(t, keys), t.duration_ns[t.leaf].astype(float)
        codes.append(code)
        durations.append(duration)
        shares.append(duration / np.maximum(t.method_ns, 1)[t.run[t.leaf]])
    method = np.concatenate([r.timeline.method_ns for r in recordings])
    return _summarize(
        list(keys),
        np.concatenate(codes),
        np.concatenate(durations),
        np.concatenate(shares),
        len(method),
        float(np.median(method)) / _NS_PER_MS,
    )


def _operator_codes(t: Timeline, keys: dict[tuple[str, str, int], int]) -> NDArray[np.int64]:
    shape = (len(t.names), len(CATEGORY_NAMES), 2)
    code = np.ravel_multi_index((t.name[t.leaf], t.category[t.leaf], t.delegated[t.leaf].astype(np.int64)), shape)
    distinct, inverse = np.unique(code, return_inverse=True)
    numbers = [
        keys.setdefault((t.names[n], CATEGORY_NAMES[c], int(d)), len(keys))
        for n, c, d in zip(*np.unravel_index(distinct, shape), strict=True)
    ]
    return np.array(numbers, np.int64)[inverse.reshape(-1)]


def _summarize(
    keys: Sequence[tuple[str, str, int]],
    codes: NDArray[np.int64],
    durations: NDArray[np.float64],
    shares: NDArray[np.float64],
    runs: int,
    median_ms: float,
) -> list[OperatorStats]:
    order = np.argsort(codes, kind="stable")
    ends = np.cumsum(np.bincount(codes, minlength=len(keys)))
    groups = np.split(durations[order], ends[:-1]) if len(keys) else []
    share = np.bincount(codes, shares, len(keys)) / runs
    stats = []
    for (name, category, delegated), calls, part in zip(keys, groups, share.tolist(), strict=True):
        p10, median, p90 = (np.percentile(calls, (10, 50, 90)) / _NS_PER_US).tolist()
        stats.append(
            OperatorStats(
                name=name,
                category=category,
                delegated=delegated,
                calls_per_run=len(calls) / runs,
                median_us=median,
                p10_us=p10,
                p90_us=p90,
                total_ms_per_run=part * median_ms,
                pct_of_run=100 * part,
            )
        )
    return sorted(stats, key=lambda row: (-row.total_ms_per_run, row.name))
