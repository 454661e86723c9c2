# SPDX-License-Identifier: Apache-2.0
"""The history: what it keeps of runs, where levels change, what lies between, and an index that loses nothing."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sqlite3
import sys
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.edited import edited_run
from support.kit import FIXTURES

from model_profiling.analysis.history.index import add_runs, read_runs
from model_profiling.analysis.history.metrics import LATENCY, LOAD, METRICS, SIZE
from model_profiling.analysis.history.reading import find_runs, read_recorded_run
from model_profiling.analysis.history.rows import HistoryRow, RecordedRun
from model_profiling.analysis.history.shifts import LEAST_RUNS, find_shifts
from model_profiling.analysis.history.trends import (
    BACKWARDS,
    FUTURE,
    UNREADABLE,
    UNSET,
    Trend,
    implausible,
    regressions,
    trends_of,
)
from model_profiling.analysis.summary import AnalysisSummary
from model_profiling.errors import UserError
from model_profiling.json_objects import JsonObject
from model_profiling.pipeline.run_directory import RunDirectory

REFERENCE = FIXTURES / "reference_run" / "mac"
NOISE = 0.02
LEAST = LATENCY.least
#: The share of unchanged series in which a change may be found, and in which the newest run may be called new.
FALSE_ALARMS, FALSE_NEWS = 0.05, 0.08


# ---------------------------------------------------------------- reading


@pytest.fixture(scope="module")
def recorded() -> RecordedRun:
    return read_recorded_run(RunDirectory(REFERENCE))


def test_a_run_keeps_what_its_own_summary_says(recorded: RecordedRun) -> None:
    summary = AnalysisSummary.read(RunDirectory(REFERENCE))
    on, off = recorded.rows
    assert (on.series.off, off.series.off) == (False, True)
    for name, row in (("mac_sme2_on", on), ("mac_sme2_off", off)):
        held = summary.experiments[name][1]
        assert row.latency_ms == pytest.approx(held.time_ms) and row.load_ms == held.load_ms
        assert row.memory_mib == held.peak_rss_mib and row.launches == held.launches == 8
        assert row.low_ms < row.latency_ms < row.high_ms
    assert (on.series.model, on.series.recipe, on.series.threads) == ("toy_cnn", "fp16", 1)
    assert (on.series.switched, on.series.runner, on.series.shapes) == ("AVX-512", "native", ("1x3x96x96",))
    assert on.size_bytes == 794644 and on.versions.executorch == "1.5.1+cpu (3b6068392324)"
    assert recorded.digest == json.loads((REFERENCE / "manifest.json").read_text())["digest"]


def test_it_is_the_same_after_json(recorded: RecordedRun) -> None:
    plain = json.loads(json.dumps(recorded.to_json()))
    assert RecordedRun.from_json(JsonObject(plain, "in a test", "mend it")) == recorded


def test_an_emulated_cpu_has_no_times_and_is_a_series_of_its_own(recorded: RecordedRun, tmp_path: Path) -> None:
    run = edited_run(REFERENCE, tmp_path / "run", "2026-01-01T00:00:00.000Z", emulated=True)
    [on, _] = read_recorded_run(RunDirectory(run)).rows
    assert (on.latency_ms, on.load_ms, on.memory_mib) == (None, None, None) and on.size_bytes == 794644
    assert (
        on.series != recorded.rows[0].series and len(trends_of([recorded, read_recorded_run(RunDirectory(run))])) == 4
    )


def test_runs_are_found_by_what_they_hold(tmp_path: Path) -> None:
    """A sweep's cells, wherever they lie; neither another program's manifest nor a folder within a run is one."""
    for cell in ("a", "b/c"):
        edited_run(REFERENCE, tmp_path / "sweep" / "cells" / cell, "2026-01-01T00:00:00.000Z")
    (tmp_path / "sweep" / "web").mkdir()
    (tmp_path / "sweep" / "web" / "manifest.json").write_text('{"name": "an app"}')
    found = [run.root.relative_to(tmp_path).as_posix() for run in find_runs([tmp_path, tmp_path / "sweep"])]
    assert found == ["sweep/cells/a", "sweep/cells/b/c"]
    with pytest.raises(UserError, match="no run lies there"):
        list(find_runs([tmp_path / "sweep" / "web"]))
    with pytest.raises(UserError, match="there is no such folder"):
        list(find_runs([tmp_path / "nowhere"]))


@pytest.mark.parametrize(
    ("change", "told"), [({"finished": None}, "the run is unfinished"), ({"calibration": True}, "an A/A calibration")]
)
def test_what_is_no_result_is_refused(change: dict[str, object], told: str, tmp_path: Path) -> None:
    run = edited_run(REFERENCE, tmp_path / "run", "2026-01-01T00:00:00.000Z", **change)
    with pytest.raises(UserError, match=told):
        read_recorded_run(RunDirectory(run))


def test_launches_that_were_edited_are_refused(tmp_path: Path) -> None:
    run = edited_run(REFERENCE, tmp_path / "run", "2026-01-01T00:00:00.000Z")
    file = run / "launches.jsonl"
    file.write_text(file.read_text().replace('"load_ms": 1', '"load_ms": 2', 1))
    with pytest.raises(UserError, match="the launches are not those that were recorded"):
        read_recorded_run(RunDirectory(run))


# ---------------------------------------------------------------- change points


def series(kind: str, runs: int, rng: np.random.Generator) -> np.ndarray:
    """Return logarithms of a level with noise as benchmarks have it."""
    if kind == "heavy":
        return NOISE * rng.standard_t(3, runs)
    noise = rng.normal(0, NOISE, runs)
    if kind == "slow outliers":
        noise += (rng.random(runs) < 1 / 12) * np.abs(rng.normal(0, 8 * NOISE, runs))
    if kind == "two modes":
        noise += (rng.random(runs) < 0.3) * 4 * NOISE
    return noise


KINDS = ("normal", "slow outliers", "heavy", "two modes")


@pytest.mark.parametrize("runs", [12, 30, 100, 500])
def test_noise_is_no_change(runs: int) -> None:
    """Of 400 series of noise without a change: few show one, fewer the longer they are."""
    rng = np.random.default_rng(runs)
    shifts = [find_shifts(list(np.exp(series(kind, runs, rng))), LEAST) for kind in KINDS for _ in range(100)]
    settled = sum(any(not shift.new for shift in found) for found in shifts) / len(shifts)
    new = sum(any(shift.new for shift in found) for found in shifts) / len(shifts)
    assert settled <= (FALSE_ALARMS if runs < 30 else 0.02) and new <= FALSE_NEWS


@pytest.mark.parametrize("kind", KINDS)
def test_a_planted_slowdown_is_found_where_it_is(kind: str) -> None:
    """15 % in the middle of 40 runs, noise of 2 %."""
    rng = np.random.default_rng(1)
    hits = 0
    for _ in range(50):
        values = series(kind, 40, rng)
        values[20:] += np.log(1.15)
        found = find_shifts(list(np.exp(values)), LEAST)
        hits += any(abs(shift.place - 20) <= 2 and 1.10 < shift.ratio < 1.20 for shift in found)
    assert hits >= 45


@settings(max_examples=60, deadline=None)
@given(st.integers(LEAST_RUNS, 60), st.floats(1e-3, 1e6), st.floats(1.3, 20), st.integers(0, 2**32 - 1), st.booleans())
def test_it_does_not_matter_in_which_unit_or_direction(
    runs: int, unit: float, step: float, seed: int, slower: bool
) -> None:
    rng = np.random.default_rng(seed)
    values = np.exp(rng.normal(0, NOISE, runs))
    values[runs // 2 :] *= step if slower else 1 / step
    found, scaled_found = find_shifts(list(values), LEAST), find_shifts(list(values * unit), LEAST)
    assert [shift.place for shift in found] == [shift.place for shift in scaled_found]
    assert [shift.ratio for shift in found] == pytest.approx([shift.ratio for shift in scaled_found])
    mirrored = [(shift.place, 1 / shift.ratio) for shift in find_shifts(list(1 / values), LEAST)]
    assert [place for place, _ in mirrored] == [shift.place for shift in found]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(1e-6, 1e6), max_size=40))
def test_any_positive_series_has_an_answer(values: list[float]) -> None:
    found = find_shifts(values, LEAST)
    assert all(0 < shift.place < len(values) and shift.runs[0] > 0 and shift.runs[1] > 0 for shift in found)
    assert [shift.place for shift in found] == sorted({shift.place for shift in found})
    assert found == () or len(values) >= LEAST_RUNS


def test_equal_values_have_no_change() -> None:
    assert find_shifts([3.0] * 50, LEAST) == ()


def test_one_slow_run_is_no_change_unless_it_is_the_newest() -> None:
    values = list(np.exp(np.random.default_rng(2).normal(0, NOISE, 20)))
    values[10] = 2.0
    assert find_shifts(values, LEAST) == ()
    [newest] = find_shifts(values[:11], LEAST)
    assert (newest.place, newest.runs, newest.new) == (10, (10, 1), True)


# ---------------------------------------------------------------- series, what lies between, the gate


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


def latency_of(trends: tuple[Trend, ...]) -> list[tuple[int, str, bool]]:
    return [
        (change.place, ",".join(step.field for step in change.steps), change.shift.new)
        for trend in trends
        for change in trend.changes
        if change.metric is LATENCY
    ]


def test_a_slowdown_is_told_with_what_lies_between(recorded: RecordedRun) -> None:
    runs = days(recorded, [1.0] * 8 + [1.2] * 8, executorch="1.6.0", kit="0.2.0")
    trends = trends_of(reversed(runs))  # the order of reading does not matter
    assert latency_of(trends) == [(8, "kit,executorch", False)] * 2
    worse = list(regressions(trends, 10))
    assert [one.change.metric for one in worse] == [LATENCY, LATENCY]
    assert 15 < worse[0].change.worse_percent < 25
    assert list(regressions(trends, 30)) == []
    assert list(regressions(trends, 10, since="2026-01-10")) == []
    assert len(list(regressions(trends, 10, since="2026-01-09"))) == 2


def test_what_got_faster_again_fails_nothing(recorded: RecordedRun) -> None:
    trends = trends_of(days(recorded, [1.0] * 8 + [1.5] * 8 + [1.0] * 8))
    assert [place for place, _, _ in latency_of(trends)] == [8, 16, 8, 16]
    assert list(regressions(trends, 1)) == []


def test_another_size_is_a_change_at_once(recorded: RecordedRun) -> None:
    first, second = days(recorded, [1.0, 1.0])
    second = replace(second, rows=tuple(replace(row, size_bytes=900_000) for row in second.rows))
    worse = list(regressions(trends_of([first, second]), 10))
    assert [(one.change.metric, one.change.place) for one in worse] == [(SIZE, 1)] * 2


@pytest.mark.parametrize(
    "other",
    [{"cpu": "another CPU"}, {"build": "Android 17 X"}, {"emulated": True}, {"runner": "python"}, {"off": True}],
)
def test_what_is_not_comparable_is_another_series(other: dict[str, object], recorded: RecordedRun) -> None:
    one = replace(recorded, rows=recorded.rows[:1])
    row = replace(one.rows[0], series=replace(one.rows[0].series, **other))
    assert len(trends_of([one, replace(one, digest="other", rows=(row,))])) == 2


def test_a_result_that_is_not_known_everywhere_is_followed_where_it_is(recorded: RecordedRun) -> None:
    runs = days(recorded, [1.0] * 16)
    kept = [
        replace(
            run, rows=tuple(replace(row, load_ms=None if day % 2 else (1.0 if day < 8 else 3.0)) for row in run.rows)
        )
        for day, run in enumerate(runs)
    ]
    changes = [(change.metric, change.place) for trend in trends_of(kept) for change in trend.changes]
    assert changes == [(LOAD, 8)] * 2


@pytest.mark.parametrize(
    ("started", "finished", "fault"),
    [
        ("2026-03-01T00:00:00.000Z", "2026-03-01T00:01:00.000Z", ""),
        ("2026-03-01T11:04:00.000Z", "2026-03-01T11:04:30.000Z", ""),
        ("2026-03-01T12:00:00.000Z", "2026-03-01T12:01:00.000Z", FUTURE),
        ("1970-01-01T00:00:10.000Z", "1970-01-01T00:01:00.000Z", UNSET),
        ("2026-03-01T00:01:00.000Z", "2026-03-01T00:00:00.000Z", BACKWARDS),
        ("yesterday", "2026-03-01T00:00:00.000Z", UNREADABLE),
    ],
)
def test_a_clock_that_cannot_be_right_is_seen(started: str, finished: str, fault: str, recorded: RecordedRun) -> None:
    now = datetime(2026, 3, 1, 11, tzinfo=timezone.utc)
    assert implausible(replace(recorded, started=started, finished=finished), now) == fault


def test_every_metric_is_one_of_the_row(recorded: RecordedRun) -> None:
    assert [metric.value(recorded.rows[0]) is not None for metric in METRICS] == [True] * 4 + [False] * 2


# ---------------------------------------------------------------- the index


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
