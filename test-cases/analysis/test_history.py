# SPDX-License-Identifier: Apache-2.0
"""The history: what it keeps of runs, which of them are comparable, what lies between changes, and the gate."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import pytest
from support.edited import edited_run
from support.history import REFERENCE, days, needs_ruptures

from model_profiling.analysis.history.metrics import LATENCY, LOAD, METRICS, SIZE
from model_profiling.analysis.history.reading import find_runs, read_recorded_run
from model_profiling.analysis.history.rows import RecordedRun
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

pytestmark = needs_ruptures


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


def test_a_busy_machine_is_seen_as_such(recorded: RecordedRun) -> None:
    """The runs of the slower half got half of the processor time that those before had got."""
    runs = days(recorded, [1.0] * 8 + [2.0] * 8)
    shared = [
        replace(run, rows=tuple(replace(row, cpu_share=0.99 if day < 8 else 0.5) for row in run.rows))
        for day, run in enumerate(runs)
    ]
    assert [change.cpu_shares for trend in trends_of(shared) for change in trend.changes] == [(0.99, 0.5)] * 2
    assert [change.cpu_shares for trend in trends_of(runs) for change in trend.changes] == [None] * 2


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


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
