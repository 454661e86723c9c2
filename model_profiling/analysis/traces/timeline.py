# SPDX-License-Identifier: Apache-2.0
"""Turns a trace into executions: which event lies inside which, and what each one is.

The runtime records an event when it ends, so what an event encloses stands before it:
delegate events before their DELEGATE_CALL, a kernel before its OPERATOR_CALL, all of
them before Method::execute. Nesting is read from that order and from the instruction
that events share, never from their times: XNNPACK knows its operators' durations only
and its delegate makes their start times up.
"""

from __future__ import annotations

import functools
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from model_profiling.analysis.traces.etdump import Ints, Trace
from model_profiling.analysis.traces.operator_names import CATEGORIES, OTHER
from model_profiling.analysis.traces.operators import (
    CONTAINER,
    DELEGATE_CALL,
    METHOD,
    OPERATOR_CALL,
    PORTABLE,
    UNKNOWN_DELEGATE,
    XNNPACK,
    Operator,
    classify,
)
from model_profiling.errors import UserError

EXECUTION_BLOCK = "Execute"
#: Codes of the category column; containers come last so that codes below are leaves.
CATEGORY_NAMES = (*CATEGORIES, CONTAINER)
CONTAINER_CODE = len(CATEGORIES)
BACKEND_NAMES = ("", XNNPACK, PORTABLE, UNKNOWN_DELEGATE)
_DELEGATE_CODE = BACKEND_NAMES.index(UNKNOWN_DELEGATE)


@dataclass(frozen=True, eq=False)
class Timeline:
    """The events of every counted execution, one row an event, in recorded order.

    Attributes
    ----------
    names : distinct event names; `name` holds positions in it.
    run : execution number from 0, the dropped warm-up not counted.
    event : the event's position within its execution.
    category : position in `CATEGORY_NAMES`.
    backend : position in `backends`; recognized by operator names unless an ETRecord tells.
    delegated : True for operators that ran inside a delegate.
    start_ns : start relative to the start of its Method::execute. Of XNNPACK's operators it
        is made up by the delegate; only their durations were measured.
    duration_ns : elapsed ns.
    parent : the enclosing event's position in the execution, -1 for Method::execute itself.
    instruction : the program's instruction that the event belongs to.
    method_row : the row of each execution's Method::execute.
    """

    names: tuple[str, ...]
    run: Ints
    event: Ints
    name: Ints
    category: Ints
    delegated: NDArray[np.bool_]
    backend: Ints
    start_ns: Ints
    duration_ns: Ints
    parent: Ints
    instruction: Ints
    method_row: Ints
    backends: tuple[str, ...] = BACKEND_NAMES

    def __len__(self) -> int:
        return len(self.run)

    @property
    def runs(self) -> int:
        return len(self.method_row)

    @property
    def method_ns(self) -> Ints:
        """Duration of each execution's Method::execute in ns."""
        return self.duration_ns[self.method_row]

    @property
    def leaf(self) -> NDArray[np.bool_]:
        """True for operators; everything else encloses them or steers the program."""
        return self.category < CONTAINER_CODE

    def unmapped(self) -> list[str]:
        """Return the operators in this trace that the table of categories lacks, sorted."""
        pairs = {(n, d) for n, d in zip(self.name.tolist(), self.delegated.tolist(), strict=True)}
        operators = (classify(self.names[n], d) for n, d in pairs)
        return sorted({operator.operator for operator in operators if not operator.mapped})


def build_timeline(trace: Trace, where: str, warmup: int = 0, left_out: Collection[int] = ()) -> Timeline:
    """Return the executions of `trace` without the first `warmup`; `where` names it in messages.

    `left_out` are places among the others, from 0, whose executions do not count either.

    Raises
    ------
    UserError : no execution is left, or an execution lacks its one Method::execute.
    """
    blocks = np.array([name == EXECUTION_BLOCK for name in trace.blocks], bool)
    number = np.cumsum(blocks) - 1 - warmup
    executions = int(blocks.sum())
    kept = np.array([place not in left_out for place in range(executions - warmup)], bool)
    if not kept.any():
        raise UserError(
            f"the ETDump holds {executions} executions" + (f", {warmup} of them warm-up" if warmup else ""),
            f"in {where}",
            "record at least one execution with the event tracer",
        )
    counted_block = blocks & (number >= 0)
    counted_block[counted_block] = kept[number[counted_block]]
    counted, run_of = counted_block[trace.block], np.cumsum(kept) - 1
    names, name = _event_names(trace)
    run = run_of[number[trace.block][counted]]
    return _Rows(trace, run, np.flatnonzero(counted), name[counted], names).timeline(int(kept.sum()), where)


def _event_names(trace: Trace) -> tuple[tuple[str, ...], Ints]:
    """Return the display names: a delegate's identifier where there is one, else the event's name."""
    names = [*trace.strings, ""]
    name = np.where(trace.name < 0, len(names) - 1, trace.name)
    label = np.where((trace.delegate_name >= 0) & trace.delegated, trace.delegate_name, name)
    numbers, inverse = np.unique(trace.delegate_id, return_inverse=True)
    if (numbers != -1).any():  # a delegate that numbers its events: the number is the name
        base = len(names)
        names.extend(str(n) for n in numbers.tolist())
        label = np.where(trace.delegate_id != -1, base + inverse.reshape(-1), label)
    return tuple(names), label


class _Rows:
    """The counted events of a trace on their way to a `Timeline`."""

    def __init__(self, trace: Trace, run: Ints, rows: Ints, name: Ints, names: tuple[str, ...]) -> None:
        self.run, self.name, self.names = run, name, names
        self.event = trace.index[rows]
        self.chain, self.instruction = trace.chain_index[rows], trace.instruction_id[rows]
        self.from_delegate = trace.delegated[rows]
        self.start, self.duration = trace.start_ns[rows], trace.duration_ns[rows]

    def timeline(self, runs: int, where: str) -> Timeline:
        method_row = self._method_rows(runs, where)
        parent_row = self._parent_rows(method_row)
        category, backend = self._kinds()
        delegated = self.from_delegate.copy()
        self._adopt_childless_calls(parent_row, category, backend, delegated)
        has_parent = parent_row >= 0
        parent = np.where(has_parent, self.event[parent_row], -1)
        return Timeline(
            names=self.names,
            run=self.run,
            event=self.event,
            name=self.name,
            category=category,
            delegated=delegated,
            backend=backend,
            start_ns=self.start - self.start[method_row][self.run],
            duration_ns=self.duration,
            parent=parent,
            instruction=self.instruction,
            method_row=method_row,
        )

    def _is(self, *names: str) -> NDArray[np.bool_]:
        known = np.array([name in names for name in self.names], bool)
        return known[self.name] & ~self.from_delegate

    def _method_rows(self, runs: int, where: str) -> Ints:
        rows = np.flatnonzero(self._is(METHOD))
        if len(rows) != runs or (self.run[rows] != np.arange(runs)).any():
            lacking = np.flatnonzero(np.bincount(self.run[rows], minlength=runs) != 1)
            raise UserError(
                f"execution {lacking[0]} has not exactly one {METHOD} event",
                f"in {where}",
                "record it again; an execution that failed cannot be analyzed",
            )
        return rows

    def _parent_rows(self, method_row: Ints) -> Ints:
        """Return the row that encloses each row: the next call of the same instruction, else the method."""
        count = len(self.run)
        calls = self._is(DELEGATE_CALL, OPERATOR_CALL)
        following = np.where(calls, np.arange(count), count)
        following = np.minimum.accumulate(following[::-1])[::-1] if count else following
        call = np.minimum(following, count - 1)
        inside = (
            (following < count)
            & ~calls
            & (self.run[call] == self.run)
            & (self.chain[call] == self.chain)
            & (self.instruction[call] == self.instruction)
        )
        parent = np.where(inside, call, method_row[self.run])
        parent[method_row] = -1
        return parent

    def _kinds(self) -> tuple[Ints, Ints]:
        """Return each row's category and backend code, looked up once per distinct name."""
        kinds = [[self._codes(classify(name, delegated)) for name in self.names] for delegated in (False, True)]
        codes = np.array(kinds, np.int64)[self.from_delegate.astype(np.int64), self.name]
        return codes[:, 0].copy(), codes[:, 1].copy()

    @staticmethod
    @functools.cache
    def _codes(operator: Operator) -> tuple[int, int]:
        return CATEGORY_NAMES.index(operator.category), BACKEND_NAMES.index(operator.backend)

    def _adopt_childless_calls(
        self, parent_row: Ints, category: Ints, backend: Ints, delegated: NDArray[np.bool_]
    ) -> None:
        """Count a call that recorded nothing inside as the operator itself.

        A delegate without profiling and a kernel registered without the tracer's hook leave
        only their call. As a container its time would pass for framework overhead.
        """
        enclosing = np.zeros(len(self.run), bool)
        enclosing[parent_row[(category < CONTAINER_CODE) & (parent_row >= 0)]] = True
        childless = self._is(DELEGATE_CALL, OPERATOR_CALL) & ~enclosing
        category[childless] = CATEGORIES.index(OTHER)
        in_delegate = childless & self._is(DELEGATE_CALL)
        delegated[in_delegate] = True
        backend[in_delegate] = _DELEGATE_CODE
        backend[childless & ~in_delegate] = BACKEND_NAMES.index(PORTABLE)


def with_delegates(timeline: Timeline, delegates: Mapping[int, str], where: str) -> Timeline:
    """Return `timeline` with the backend of each delegated operator as the export recorded it.

    Parameters
    ----------
    delegates : backend name by instruction.
    where : names the file that `delegates` came from.

    Raises
    ------
    UserError : the trace delegates at an instruction that `delegates` lacks: another model's record.
    """
    names = sorted(set(delegates.values()))
    backend = timeline.backend.copy()
    for instruction in np.unique(timeline.instruction[timeline.delegated]).tolist():
        if instruction not in delegates:
            raise UserError(
                f"the ETRecord knows no delegate at instruction {instruction} of the trace",
                f"in {where}",
                "name the .etrecord that was exported with the measured .pte",
            )
        rows = timeline.delegated & (timeline.instruction == instruction)
        backend[rows] = len(BACKEND_NAMES) + names.index(delegates[instruction])
    return replace(timeline, backend=backend, backends=(*BACKEND_NAMES, *names))
