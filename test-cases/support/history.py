# SPDX-License-Identifier: Apache-2.0
"""Histories made of one recorded run."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import numpy as np
import pytest

from model_profiling.analysis.history.rows import HistoryRow, RecordedRun
from support.kit import FIXTURES

#: What finds changes is installed with Pythons that it has wheels for (pyproject.toml).
needs_ruptures = pytest.mark.skipif(sys.version_info >= (3, 14), reason="ruptures has no wheels for this Python")
#: A real run, whose edited copies tests make histories of.
REFERENCE = FIXTURES / "reference_run" / "mac"


def days(recorded: RecordedRun, factors: list[float], **versions: str) -> list[RecordedRun]:
    """Return a run a day, its latencies by these factors; of the last half these versions."""
    rng = np.random.default_rng(5)
    start = datetime(2026, 1, 1, tzinfo=timezone.utc)
    runs = []
    for day, factor in enumerate(factors):
        noisy = factor * float(np.exp(rng.normal(0, 0.01)))
        later = versions if day >= len(factors) // 2 else {}
        rows = tuple(_scaled_row(row, noisy, later) for row in recorded.rows)
        time = (start + timedelta(days=day)).isoformat()
        runs.append(replace(recorded, digest=f"{day:04}", started=time, finished=time, rows=rows))
    return runs


def _scaled_row(row: HistoryRow, factor: float, versions: dict[str, str]) -> HistoryRow:
    times = {name: getattr(row, name) * factor for name in ("latency_ms", "low_ms", "high_ms")}
    return replace(row, **times, versions=replace(row.versions, **versions))
