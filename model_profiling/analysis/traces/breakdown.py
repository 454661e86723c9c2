# SPDX-License-Identifier: Apache-2.0
"""Where each execution's time went: categories, delegated or not, and what no operator accounts for.

Each nanosecond of Method::execute is counted once: the operators (leaf events), and the
framework overhead as the rest. So the parts of an execution sum to it exactly, and
shares over many executions sum to one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model_profiling.analysis.traces.operator_names import CATEGORIES
from model_profiling.analysis.traces.operators import DELEGATE_CALL, FRAMEWORK_OVERHEAD, OPERATOR_CALL
from model_profiling.analysis.traces.timeline import Timeline

#: The parts an execution is split into, in the order they are shown.
PARTS = (*CATEGORIES, FRAMEWORK_OVERHEAD)


@dataclass(frozen=True, eq=False)
class Breakdown:
    """Times of executions in ns, one row an execution.

    Attributes
    ----------
    method : duration of Method::execute.
    parts : one column for each of `PARTS`; each row sums to `method`.
    delegated, portable : operators inside delegates, and the others.
    delegate_call, delegate_overhead : DELEGATE_CALL events, and what of them their operators
        do not account for.
    operator_call, operator_overhead : the same of OPERATOR_CALL events.
    """

    method: NDArray[np.float64]
    parts: NDArray[np.float64]
    delegated: NDArray[np.float64]
    portable: NDArray[np.float64]
    delegate_call: NDArray[np.float64]
    delegate_overhead: NDArray[np.float64]
    operator_call: NDArray[np.float64]
    operator_overhead: NDArray[np.float64]

    @property
    def framework(self) -> NDArray[np.float64]:
        """Method::execute outside operators, in ns; negative only where a delegate reports too much."""
        return self.parts[:, -1]

    def mean_shares(self) -> dict[str, float]:
        """Return each part's share of its execution, averaged over executions; they sum to 1."""
        shares = self.parts / self.method[:, None]
        return dict(zip(PARTS, shares.mean(axis=0).tolist(), strict=True))

    def mean_share(self, column: NDArray[np.float64]) -> float:
        """Return the mean share that `column` (ns per execution) has in its execution."""
        return float((column / self.method).mean())


def break_down(timeline: Timeline) -> Breakdown:
    """Split every execution of `timeline` into its parts.

    An execution without a positive duration would make every share meaningless; a clock
    too coarse to see one counts it as 1 ns.
    """
    runs, leaf = timeline.runs, timeline.leaf

    def per_run(rows: NDArray[np.bool_]) -> NDArray[np.float64]:
        return np.bincount(timeline.run[rows], timeline.duration_ns[rows], runs).astype(np.float64)

    categories = [per_run(timeline.category == code) for code in range(len(CATEGORIES))]
    method = np.maximum(timeline.method_ns.astype(float), 1.0)
    parts = np.column_stack([*categories, method - sum(categories)])
    inside, calls = {}, {}
    for name in (DELEGATE_CALL, OPERATOR_CALL):
        call = _named(timeline, name)
        calls[name] = per_run(call)
        inside[name] = per_run(leaf & (call | _children(timeline, call)))
    return Breakdown(
        method=method,
        parts=parts,
        delegated=per_run(leaf & timeline.delegated),
        portable=per_run(leaf & ~timeline.delegated),
        delegate_call=calls[DELEGATE_CALL],
        delegate_overhead=calls[DELEGATE_CALL] - inside[DELEGATE_CALL],
        operator_call=calls[OPERATOR_CALL],
        operator_overhead=calls[OPERATOR_CALL] - inside[OPERATOR_CALL],
    )


def join(breakdowns: Sequence[Breakdown]) -> Breakdown:
    """Return the executions of several traces as one breakdown."""
    return Breakdown(
        **{name: np.concatenate([getattr(b, name) for b in breakdowns]) for name in Breakdown.__dataclass_fields__}
    )


def _named(timeline: Timeline, name: str) -> NDArray[np.bool_]:
    return np.array([n == name for n in timeline.names], bool)[timeline.name]


def _children(timeline: Timeline, parents: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which events lie directly inside one of `parents`."""
    width = int(timeline.event.max()) + 2
    keys = timeline.run[parents] * width + timeline.event[parents]
    return np.isin(timeline.run * width + timeline.parent, keys) & (timeline.parent >= 0)
