# SPDX-License-Identifier: Apache-2.0
"""The layers of two sides beside each other, from timeline tables that name them. Pure.

Operators with and without SME2 have other names and other neighbors; layers have not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from model_profiling.analysis.comparing.operators import MIN_OPERATOR_US
from model_profiling.analysis.traces.recording import Recording

_NS_PER_MS, _US_PER_MS = 1e6, 1e3


@dataclass(frozen=True)
class LayerTime:
    """A layer on one side: the operators that it ran as, and ms in one execution, packing included."""

    operators: str
    ms: float


@dataclass(frozen=True)
class LayerChange:
    """A layer on both sides, None where it did not run; `speedup` is None under `MIN_OPERATOR_US` on either."""

    layer: str
    baseline: LayerTime | None
    candidate: LayerTime | None

    @property
    def speedup(self) -> float | None:
        before, after = self.baseline, self.candidate
        if before is None or after is None or _US_PER_MS * min(before.ms, after.ms) < MIN_OPERATOR_US:
            return None
        return before.ms / after.ms


def layer_times(recordings: Sequence[Recording]) -> dict[str, LayerTime]:
    """Return each layer's mean share of an execution times the median execution; empty where no layer is known."""
    method = np.concatenate([r.timeline.method_ns for r in recordings])
    median_ms = float(np.median(method)) / _NS_PER_MS
    shares: dict[str, float] = {}
    operators: dict[str, dict[str, None]] = {}
    for recording in recordings:
        if recording.layer is None:
            continue
        t = recording.timeline
        rows = np.flatnonzero((recording.layer >= 0) & t.leaf)
        parts = t.duration_ns[rows] / np.maximum(t.method_ns, 1)[t.run[rows]]
        for number, share in enumerate(np.bincount(recording.layer[rows], parts, len(recording.layer_names)).tolist()):
            name = recording.layer_names[number]
            shares[name] = shares.get(name, 0.0) + share / len(method)
        for number, name in set(zip(recording.layer[rows].tolist(), t.name[rows].tolist(), strict=True)):
            operators.setdefault(recording.layer_names[number], {})[t.names[name].partition(" #")[0]] = None
    return {
        name: LayerTime(" + ".join(sorted(operators[name])), share * median_ms)
        for name, share in shares.items()
        if name in operators
    }


def layer_changes(baseline: Sequence[Recording], candidate: Sequence[Recording]) -> list[LayerChange]:
    """Return the layers of both sides matched by name, the most expensive first; empty where a side knows none."""
    first, second = layer_times(baseline), layer_times(candidate)
    if not first or not second:
        return []
    changes = [LayerChange(name, first.get(name), second.get(name)) for name in dict.fromkeys((*first, *second))]
    return sorted(changes, key=lambda c: -max(side.ms for side in (c.baseline, c.candidate) if side))
