# SPDX-License-Identifier: Apache-2.0
"""The index of a history: each run once, damage is one line, and a kill loses nothing."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sqlite3
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.history import REFERENCE, days

from model_profiling.analysis.history.index import add_runs, read_runs
from model_profiling.analysis.history.reading import read_recorded_run
from model_profiling.analysis.history.rows import RecordedRun
from model_profiling.errors import UserError
from model_profiling.pipeline.run_directory import RunDirectory


@pytest.fixture(scope="module")
def recorded() -> RecordedRun:
    return read_recorded_run(RunDirectory(REFERENCE))


def test_a_run_that_is_added_twice_changes_nothing(recorded: RecordedRun, tmp_path: Path) -> None:
    index = tmp_path / "index.sqlite"
    runs = days(recorded, [1.0] * 3)
    assert add_runs(index, runs).new == 3
    before = index.read_bytes()
    moved = [replace(run, folder="elsewhere") for run in runs]
    assert (add_runs(index, moved).new, add_runs(index, runs).renewed) == (0, 0)
    assert read_runs(index) == runs and len(index.read_bytes()) == len(before)


def test_what_became_known_later_is_taken(recorded: RecordedRun, tmp_path: Path) -> None:
    """A preview that was made after the run counts SME2 layers that nothing had counted before."""
    index = tmp_path / "index.sqlite"
    add_runs(index, [recorded])
    known = replace(recorded, rows=tuple(replace(row, coverage=0.875) for row in recorded.rows))
    added = add_runs(index, [known])
    assert (added.new, added.renewed) == (0, 1) and read_runs(index) == [known]


@pytest.mark.parametrize("content", [b"not a database", b"SQLite format 3\x00" + b"\x01" * 4080])
def test_a_file_that_is_no_index_is_one_line(content: bytes, recorded: RecordedRun, tmp_path: Path) -> None:
    index = tmp_path / "index.sqlite"
    index.write_bytes(content)
    for use in (lambda: read_runs(index), lambda: add_runs(index, [recorded])):
        with pytest.raises(UserError, match="index"):
            use()
    assert index.read_bytes() == content


def test_a_database_of_another_program_is_left_alone(recorded: RecordedRun, tmp_path: Path) -> None:
    index = tmp_path / "index.sqlite"
    with sqlite3.connect(index) as connection:
        connection.execute("CREATE TABLE songs (name TEXT)")
    connection.close()
    before = index.read_bytes()
    with pytest.raises(UserError, match="the file is no index of history.py"):
        add_runs(index, [recorded])
    assert index.read_bytes() == before


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_a_damaged_index_is_one_line_or_right(data: st.DataObject) -> None:
    """Bytes of a whole index are overwritten: it is refused, or its runs are read as they were written."""
    index, whole, runs = _whole_index()
    held = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(held) - 1))
        held[place : place + 8] = data.draw(st.binary(min_size=1, max_size=8))
    index.write_bytes(bytes(held[: data.draw(st.integers(0, len(held)))]))
    try:
        found = read_runs(index)
    except UserError:
        return
    assert set(found) <= set(runs)


_WHOLE: list[tuple[Path, bytes, list[RecordedRun]]] = []


def _whole_index() -> tuple[Path, bytes, list[RecordedRun]]:
    if not _WHOLE:
        import tempfile

        index = Path(tempfile.mkdtemp()) / "index.sqlite"
        runs = days(read_recorded_run(RunDirectory(REFERENCE)), [1.0] * 4)
        add_runs(index, runs)
        _WHOLE.append((index, index.read_bytes(), runs))
    return _WHOLE[0]


def _add_one_by_one(index: Path, runs: list[RecordedRun], started: object) -> None:
    started.set()
    for run in runs:
        add_runs(index, [run])


@pytest.mark.parametrize("after_s", [0.0, 0.02, 0.05])
def test_a_kill_loses_nothing_that_was_added(after_s: float, recorded: RecordedRun, tmp_path: Path) -> None:
    index, runs = tmp_path / "index.sqlite", days(recorded, [1.0] * 200)
    add_runs(index, runs[:5])
    forked = multiprocessing.get_context("fork")
    started = forked.Event()
    writer = forked.Process(target=_add_one_by_one, args=(index, runs[5:], started))
    writer.start()
    started.wait(30)
    writer.join(after_s)
    os.kill(writer.pid, signal.SIGKILL)
    writer.join()
    held = read_runs(index)
    assert held == runs[: len(held)] and len(held) >= 5
    assert add_runs(index, runs).new == 200 - len(held) and read_runs(index) == runs


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
