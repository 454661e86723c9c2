# SPDX-License-Identifier: Apache-2.0
"""The ETDump reader: the same values as ExecuTorch's Inspector, and no way to break it."""

from __future__ import annotations

import os
import random
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.etdump import (
    MOBILENET_FP16,
    MOBILENET_INT8,
    RECORDED,
    SMALL,
    Block,
    Event,
    operator,
    read_plainly,
    write_etdump,
)
from support.kit import kit

from model_profiling.analysis.tables.operators import operators_csv
from model_profiling.analysis.tables.timeline import timeline_csv
from model_profiling.analysis.traces.breakdown import break_down
from model_profiling.analysis.traces.etdump import Trace, parse_etdump, read_etdump
from model_profiling.analysis.traces.operator_stats import operator_stats
from model_profiling.analysis.traces.recording import Recording, RowIdentity
from model_profiling.analysis.traces.timeline import build_timeline
from model_profiling.errors import UserError

_MUTATIONS = 10_000
_MOST_SECONDS_EACH = 1.0
_MOST_MORE_MEMORY_MB = 300


def rows(trace: Trace) -> list[tuple[str, list[tuple]]]:
    """Return a trace in the form of `read_plainly`."""
    found: list[tuple[str, list[tuple]]] = [(name, []) for name in trace.blocks]
    strings = (*trace.strings, None)
    columns = (
        trace.block,
        trace.index,
        trace.name,
        trace.chain_index,
        trace.instruction_id,
        trace.delegate_id,
        trace.delegate_name,
        trace.start_ns,
        trace.end_ns,
    )
    for block, index, name, chain, instruction, number, delegate, start, end in zip(
        *(c.tolist() for c in columns), strict=True
    ):
        found[block][1].append((index, strings[name], chain, instruction, number, strings[delegate], start, end))
    return found


def through_everything(trace: Trace) -> None:
    """Make all tables of a trace; a `UserError` is the only way to fail."""
    timeline = build_timeline(trace, "test")
    recordings, identity = [Recording(timeline)], RowIdentity("m")
    timeline_csv(identity, recordings)
    operators_csv(identity, operator_stats(recordings))
    break_down(timeline)


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_recorded_traces_read_as_the_flatbuffers_library_reads_them(path: Path) -> None:
    assert rows(read_etdump(path)) == read_plainly(path.read_bytes())


@pytest.mark.slow
def test_every_value_is_the_one_that_inspector_gives() -> None:
    """All events of all recorded traces; Inspector runs once in a child, to keep torch out of this process."""
    child = subprocess.run(
        [sys.executable, __file__, "--inspect", *map(str, RECORDED)],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert child.returncode == 0, child.stderr[-2000:]
    assert child.stdout.strip().splitlines()[-1] == f"{len(RECORDED)} traces agree"


def inspect(paths: list[str]) -> None:
    """Compare Inspector's rows with ours; run in a child by the test above."""
    from executorch.devtools import Inspector

    for path in paths:
        theirs = [
            (block.name, [_inspector_row(event) for event in block.events])
            for block in Inspector(etdump_path=path).event_blocks
        ]
        assert theirs == _as_inspector_groups(read_etdump(Path(path))), path
    print(f"{len(paths)} traces agree")


def _inspector_row(event: object) -> tuple:
    return (
        event.name,
        event._instruction_id,
        bool(event.is_delegated_op),
        [round(value * 1e6) for value in event.perf_data.raw],
        list(event.start_time),
    )  # ms to ns


def _as_inspector_groups(trace: Trace) -> list[tuple[str, list[tuple]]]:
    """Group events as Inspector does: by block shape, then by signature, the last of equal ones kept."""
    strings, durations, delegated = (*trace.strings, ""), trace.duration_ns.tolist(), trace.delegated.tolist()
    groups: dict[tuple, dict[tuple, list[int]]] = {}
    for number, block in enumerate(trace.blocks):
        own: dict[tuple, int] = {}
        order: dict[tuple, list[int]] = {}
        for row in np.flatnonzero(trace.block == number).tolist():
            order.setdefault(
                (
                    int(trace.instruction_id[row]),
                    int(trace.chain_index[row]),
                    int(trace.delegate_id[row]),
                    int(trace.delegate_name[row]),
                ),
                [],
            ).append(row)
        for same in order.values():
            for row in same:
                own[strings[trace.name[row]], int(trace.instruction_id[row]), strings[trace.delegate_name[row]]] = row
        shape = (block, tuple(own))
        for signature, row in own.items():
            groups.setdefault(shape, {}).setdefault(signature, []).append(row)
    return [
        (
            shape[0],
            [
                (
                    strings[trace.delegate_name[r[0]]] if delegated[r[0]] else strings[trace.name[r[0]]],
                    int(trace.instruction_id[r[0]]),
                    delegated[r[0]],
                    [durations[i] for i in r],
                    [int(trace.start_ns[i]) for i in r],
                )
                for r in events.values()
            ],
        )
        for shape, events in groups.items()
    ]


def test_truncation_at_any_length_is_an_error() -> None:
    data = SMALL.read_bytes()
    for length in range(len(data)):
        with pytest.raises(UserError):
            parse_etdump(data[:length], "test")
    large = MOBILENET_FP16.read_bytes()
    for length in range(0, len(large), 97):
        with pytest.raises(UserError):
            parse_etdump(large[:length], "test")


def test_truncation_with_a_corrected_header_never_breaks_the_reader() -> None:
    """The length in the header catches plain truncation; a wrong header must not make it worse."""
    data = SMALL.read_bytes()
    for length in range(16, len(data), 3):
        cut = (length - 4).to_bytes(4, "little") + data[4:length]
        try:
            trace = parse_etdump(cut, "test")
        except UserError:
            continue
        assert rows(trace) == read_plainly(cut)


def _mutated(data: bytes, dice: random.Random) -> bytes:
    changed = bytearray(data)
    kind = dice.randrange(4)
    at = dice.randrange(len(changed))
    if kind == 0:  # one byte
        changed[at] = dice.randrange(256)
    elif kind == 1:  # a 32-bit value to an extreme or random one: offsets, lengths, vtables
        at = at // 4 * 4
        value = dice.choice((0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, len(data), dice.randrange(2**32)))
        changed[at : at + 4] = value.to_bytes(4, "little")
    elif kind == 2:  # a piece copied elsewhere
        size, source = dice.randrange(1, 64), dice.randrange(len(changed))
        piece = changed[source : source + size]
        changed[at : at + len(piece)] = piece
    else:  # several bytes
        for _ in range(dice.randrange(2, 12)):
            changed[dice.randrange(len(changed))] = dice.randrange(256)
    fixed = bytes(changed)
    return (len(fixed) - 4).to_bytes(4, "little") + fixed[4:]  # or the header's length would catch all that grew


def test_random_mutations_end_in_an_error_or_a_correct_table() -> None:
    dice = random.Random(20251)
    originals = [SMALL.read_bytes()] * 9 + [MOBILENET_INT8.read_bytes()]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    survived = slowest = 0
    for number in range(_MUTATIONS):
        data = _mutated(originals[number % len(originals)], dice)
        started = time.perf_counter()
        try:
            trace = parse_etdump(data, "test")
            survived += 1
            assert len(data) > len(originals[0]) or rows(trace) == read_plainly(data), f"mutation {number}"
            through_everything(trace)
        except UserError:
            continue
        finally:
            slowest = max(slowest, time.perf_counter() - started)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert survived > _MUTATIONS / 100, "the mutations are too violent to test anything"
    assert slowest < _MOST_SECONDS_EACH
    assert grown < _MOST_MORE_MEMORY_MB


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400))
def test_arbitrary_bytes_are_refused(data: bytes) -> None:
    for candidate in (data, len(data).to_bytes(4, "little") + b"\x08\0\0\0ED00" + data):
        with pytest.raises(UserError):
            through_everything(parse_etdump(candidate, "test"))


_NAMES = (
    st.none()
    | st.sampled_from(["Method::execute", "DELEGATE_CALL", "OPERATOR_CALL", "native_call_add.out", ""])
    | st.text(st.characters(codec="utf-8"), max_size=12)
)
_INT32 = st.none() | st.integers(-(2**31), 2**31 - 1)


@st.composite
def _events(draw: st.DrawFn) -> Event:
    start = draw(st.integers(0, 2**61))
    return Event(
        draw(_NAMES),
        draw(_INT32),
        draw(_INT32),
        draw(_INT32),
        draw(_NAMES),
        start,
        start + draw(st.integers(0, 2**60)),
        draw(st.sampled_from(("profile",) * 8 + ("allocation", "debug"))),
    )


_BLOCKS = st.lists(st.builds(Block, _NAMES, st.none() | st.lists(_events(), max_size=6).map(tuple)), max_size=4)


@settings(max_examples=200, deadline=None)
@given(_BLOCKS)
def test_what_the_flatbuffers_library_writes_is_read_back(blocks: list[Block]) -> None:
    data = write_etdump(blocks)
    assert rows(parse_etdump(data, "test")) == read_plainly(data)


def test_absent_fields_take_the_schema_s_defaults() -> None:
    trace = parse_etdump(write_etdump([Block("Execute", (Event(None, None, None),))]), "test")
    assert (trace.name[0], trace.chain_index[0], trace.instruction_id[0], trace.delegate_id[0]) == (-1, 0, -1, -1)
    assert not trace.delegated[0]


def test_a_32_bit_clock_may_wrap_but_time_never_runs_backwards() -> None:
    wrapped = parse_etdump(write_etdump([Block("Execute", (Event("x", start=2**32 - 10, end=5),))]), "test")
    assert wrapped.duration_ns[0] == 14  # Inspector's arithmetic
    with pytest.raises(UserError, match="ends before it starts"):
        parse_etdump(write_etdump([Block("Execute", (Event("x", start=2**40, end=5),))]), "test")


def test_another_schema_version_is_refused() -> None:
    with pytest.raises(UserError, match="schema version 7"):
        parse_etdump(write_etdump([Block()], version=7), "test")


def test_a_vector_that_shares_its_tables_is_refused() -> None:
    """Many offsets to one event would make a small file a huge table."""
    data = bytearray(write_etdump([Block("Execute", tuple(operator("Add (ND) #1", 0, 5) for _ in range(3000)))]))
    parse_etdump(bytes(data), "test")
    packed = parse_etdump(write_etdump([Block("Execute", (operator("Add (ND) #1", 0, 5),))]), "test")
    assert len(packed) == 1
    with pytest.raises(UserError):
        parse_etdump(_many_references(4000), "test")


def _many_references(count: int) -> bytes:
    """Return an ETDump whose `count` runs all share one vector of `count` events."""
    import flatbuffers

    builder = flatbuffers.Builder(1024)
    builder.StartObject(8)
    event_data = builder.EndObject()
    builder.StartObject(3)
    builder.PrependUOffsetTRelativeSlot(0, event_data, 0)
    event = builder.EndObject()
    builder.StartVector(4, count, 4)
    for _ in range(count):
        builder.PrependUOffsetTRelative(event)
    events = builder.EndVector()
    builder.StartObject(4)
    builder.PrependUOffsetTRelativeSlot(3, events, 0)
    run = builder.EndObject()
    builder.StartVector(4, count, 4)
    for _ in range(count):
        builder.PrependUOffsetTRelative(run)
    runs = builder.EndVector()
    builder.StartObject(2)
    builder.PrependUOffsetTRelativeSlot(1, runs, 0)
    builder.FinishSizePrefixed(builder.EndObject(), b"ED00")
    return bytes(builder.Output())


@pytest.mark.parametrize(
    "content, said",
    [
        (b"", "empty"),
        (b"ED01" * 40, "no ETDump"),
        (b"ED00" * 40, "truncated"),
        (bytes(500), "no ETDump"),
        (SMALL.read_bytes() + b"more", "followed by"),
    ],
)
def test_the_command_says_what_is_wrong_in_one_line(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / 'it\'s a "trace"; rm.etdump'
    path.write_bytes(content)
    out = tmp_path / "out"
    assert said in kit("tools/etdump_to_csv.py", "--etdump", path, "--out-dir", out).error_line()
    assert not out.exists()


def test_the_command_refuses_missing_files_and_folders(tmp_path: Path) -> None:
    assert "does not exist" in kit("tools/etdump_to_csv.py", "--etdump", tmp_path / "none").error_line()
    assert "cannot be read" in kit("tools/etdump_to_csv.py", "--etdump", tmp_path).error_line()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--inspect"]:
        inspect(sys.argv[2:])
        raise SystemExit
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
