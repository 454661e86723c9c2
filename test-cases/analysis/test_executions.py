# SPDX-License-Identifier: Apache-2.0
"""From a trace to executions: nesting, and times that add up."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.etdump import MOBILENET_FP16, MOBILENET_INT8, RECORDED, SMALL, Block, Event, operator
from support.traces import method, timeline_of

from model_profiling.analysis.traces.breakdown import PARTS, break_down
from model_profiling.analysis.traces.etdump import read_etdump
from model_profiling.analysis.traces.operator_stats import operator_stats
from model_profiling.analysis.traces.operators import DELEGATE_CALL, FRAMEWORK_OVERHEAD, METHOD, OPERATOR_CALL
from model_profiling.analysis.traces.recording import Recording
from model_profiling.analysis.traces.timeline import build_timeline
from model_profiling.errors import UserError


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_recorded_executions_add_up(path: Path) -> None:
    timeline = build_timeline(read_etdump(path), str(path))
    found = break_down(timeline)
    assert np.array_equal(found.parts.sum(axis=1), found.method)
    assert np.array_equal(found.method, timeline.method_ns)
    assert np.allclose(found.delegated + found.portable + found.framework, found.method)
    assert (
        (found.delegate_overhead >= 0).all() and (found.operator_overhead >= 0).all() and (found.framework >= 0).all()
    )
    outside = found.method - found.delegate_call - found.operator_call
    assert np.allclose(found.framework, found.delegate_overhead + found.operator_overhead + outside)
    assert sum(found.mean_shares().values()) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("path", [SMALL, MOBILENET_FP16, MOBILENET_INT8], ids=lambda path: path.stem)
def test_delegate_events_plus_overhead_equal_each_delegate_call(path: Path) -> None:
    timeline = build_timeline(read_etdump(path), str(path))
    names = [timeline.names[n] for n in timeline.name]
    for call in (i for i, name in enumerate(names) if name == DELEGATE_CALL):
        inside = [
            i
            for i in range(len(names))
            if timeline.run[i] == timeline.run[call] and timeline.parent[i] == timeline.event[call]
        ]
        assert inside and all(timeline.delegated[i] for i in inside)
        assert {timeline.instruction[i] for i in inside} == {timeline.instruction[call]}
        assert 0 <= timeline.duration_ns[call] - sum(timeline.duration_ns[i] for i in inside)


@pytest.mark.parametrize("path", [SMALL, MOBILENET_FP16], ids=lambda path: path.stem)
def test_every_event_has_the_right_parent(path: Path) -> None:
    timeline = build_timeline(read_etdump(path), str(path))
    for i in range(len(timeline)):
        name, parent = timeline.names[timeline.name[i]], timeline.parent[i]
        if name == METHOD:
            assert parent == -1
            continue
        row = np.flatnonzero((timeline.run == timeline.run[i]) & (timeline.event == parent))
        call = DELEGATE_CALL if timeline.delegated[i] else OPERATOR_CALL
        expected = METHOD if name in (DELEGATE_CALL, OPERATOR_CALL) else call
        assert timeline.names[timeline.name[row[0]]] == expected
        if not timeline.delegated[i]:  # the runtime's own times nest truly
            assert timeline.start_ns[row[0]] <= timeline.start_ns[i]
            ends = timeline.start_ns + timeline.duration_ns
            assert ends[i] <= ends[row[0]]


def test_warm_up_executions_are_dropped() -> None:
    whole, rest = (build_timeline(read_etdump(SMALL), "t", warmup) for warmup in (0, 2))
    assert (whole.runs, rest.runs) == (3, 1)
    assert rest.method_ns[0] == whole.method_ns[2] and set(rest.run.tolist()) == {0}
    with pytest.raises(UserError, match="3 executions, 3 of them warm-up"):
        build_timeline(read_etdump(SMALL), "t", 3)


def test_a_call_that_recorded_nothing_inside_is_the_operator_itself() -> None:
    timeline = timeline_of(
        [
            Block(
                "Execute",
                (
                    Event(DELEGATE_CALL, 0, 0, start=100, end=160),
                    Event(OPERATOR_CALL, 0, 1, start=160, end=190),
                    method(100),
                ),
            )
        ]
    )
    found = break_down(timeline)
    assert dict(zip(PARTS, found.parts[0], strict=True))["Other"] == 90
    assert (found.delegated[0], found.portable[0], found.framework[0]) == (60, 30, 10)
    assert found.delegate_overhead[0] == found.operator_overhead[0] == 0
    assert timeline.unmapped() == [DELEGATE_CALL]


def test_the_same_instruction_run_twice_keeps_its_events_apart() -> None:
    once = (operator("Add (ND) #1", 0, 10), Event(DELEGATE_CALL, 0, 0, start=0, end=15))
    timeline = timeline_of([Block("Execute", (*once, *once, method(40)))])
    assert timeline.parent.tolist() == [1, 4, 3, 4, -1]


def test_events_of_a_delegate_that_numbers_them() -> None:
    timeline = timeline_of(
        [
            Block(
                "Execute",
                (
                    Event(None, 0, 0, delegate_id=7, start=0, end=5),
                    Event(DELEGATE_CALL, 0, 0, start=0, end=9),
                    method(20),
                ),
            )
        ]
    )
    assert timeline.names[timeline.name[0]] == "7"
    assert timeline.unmapped() == ["7"] and break_down(timeline).delegated[0] == 5


def test_a_scope_inside_a_kernel_does_not_count_twice() -> None:
    timeline = timeline_of(
        [
            Block(
                "Execute",
                (
                    Event("my scope", 0, 0, start=100, end=140),
                    Event("native_call_add.out", 0, 0, start=100, end=150),
                    Event(OPERATOR_CALL, 0, 0, start=100, end=160),
                    method(100),
                ),
            )
        ]
    )
    found = break_down(timeline)
    assert found.portable[0] == 50 and found.framework[0] == 50


@pytest.mark.parametrize(
    "events, said",
    [
        ((operator("Add (ND) #1", 0, 1),), "not exactly one Method::execute"),
        ((method(5), method(6)), "not exactly one"),
    ],
)
def test_an_execution_without_its_method_is_refused(events: tuple, said: str) -> None:
    with pytest.raises(UserError, match=said):
        timeline_of([Block("Execute", events)])


def test_a_trace_of_loading_alone_is_refused() -> None:
    with pytest.raises(UserError, match="0 executions"):
        timeline_of([Block("Default", (Event("Method::init"),))])


_LEAVES = st.lists(
    st.tuples(
        st.sampled_from(("Add (ND) #1", "Convolution (NHWC, F32) IGEMM #1", "Mystery #1")), st.integers(0, 10**6)
    ),
    min_size=0,
    max_size=5,
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.lists(_LEAVES, max_size=4), st.integers(0, 10**6)), min_size=1, max_size=4))
def test_whatever_ran_the_parts_sum_to_the_execution(shape: list) -> None:
    blocks = []
    for delegates, extra in shape:
        events, total = [], 0
        for instruction, leaves in enumerate(delegates):
            inside = sum(duration for _, duration in leaves)
            events += [operator(name, instruction, duration) for name, duration in leaves]
            events.append(Event(DELEGATE_CALL, 0, instruction, start=100 + total, end=100 + total + inside + 7))
            total += inside + 7
        blocks.append(Block("Execute", (*events, method(total + extra + 1))))
    timeline = timeline_of(blocks)
    found = break_down(timeline)
    assert np.array_equal(found.parts.sum(axis=1), found.method)
    operators = operator_stats([Recording(timeline)])
    total = sum(row.pct_of_run for row in operators) + 100 * found.mean_shares()[FRAMEWORK_OVERHEAD]
    assert total == pytest.approx(100)


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
