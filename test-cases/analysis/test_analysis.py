# SPDX-License-Identifier: Apache-2.0
"""From traces and launches to tables and summaries: numbers add up, bad input is one line."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
import sys
import zipfile
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.analysis import MODEL, SPEEDUP, add_launch, make_run
from support.etdump import MOBILENET_FP16, MOBILENET_INT8, RECORDED, SMALL, Block, Event, operator, write_etdump
from support.kit import FIXTURES, KIT, kit

from model_profiling.analysis.comparing import latency
from model_profiling.analysis.tables import csv_text
from model_profiling.analysis.tables.timeline import TIMELINE_COLUMNS, first_run_csv, timeline_csv
from model_profiling.analysis.traces.breakdown import PARTS, break_down, join
from model_profiling.analysis.traces.etdump import parse_etdump, read_etdump
from model_profiling.analysis.traces.operator_names import CATEGORIES
from model_profiling.analysis.traces.operator_stats import operator_stats
from model_profiling.analysis.traces.operators import (
    CONTAINER,
    DELEGATE_CALL,
    FRAMEWORK_OVERHEAD,
    METHOD,
    OPERATOR_CALL,
)
from model_profiling.analysis.traces.recording import Recording, RowIdentity
from model_profiling.analysis.traces.timeline import CATEGORY_NAMES, Timeline, build_timeline
from model_profiling.errors import UserError
from model_profiling.files import write_json
from model_profiling.pipeline.calibration import find_noise_floor
from model_profiling.pipeline.config import Config
from model_profiling.pipeline.run_directory import RunDirectory, utc_now
from model_profiling.report.run_files import analyze_run, derive, summary_json
from model_profiling.report.words.notes import run_notes

OFF = FIXTURES / "etdump" / "a64-sme2on__qemu-sme-off__mv3_int8.etdump"
ON = FIXTURES / "etdump" / "a64-sme2on__qemu-sme-on__mv3_int8.etdump"


def rows_of(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode("utf-8"), newline="")))


def timeline_of(blocks: list[Block], warmup: int = 0) -> Timeline:
    return build_timeline(parse_etdump(write_etdump(blocks), "test"), "test", warmup)


def method(duration: int) -> Event:
    return Event(METHOD, -1, None, start=100, end=100 + duration)


# Executions, nesting and conservation


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


# Tables


def test_the_timeline_table_holds_every_event_with_the_design_s_columns() -> None:
    timeline = build_timeline(read_etdump(MOBILENET_FP16), "t")
    data = timeline_csv(RowIdentity('a "b", c', "exp", 4), [Recording(timeline, 2)])
    rows = rows_of(data)
    assert tuple(rows[0]) == (
        "model_id",
        "experiment",
        "threads",
        "pair",
        "run_index",
        "event_index",
        "name",
        "category",
        "delegated",
        "backend",
        "start_us",
        "duration_us",
        "parent",
        "layer",
        "pct_of_run",
    )
    assert len(rows) == len(timeline)
    for i, row in enumerate(rows):
        assert (row["model_id"], row["experiment"], row["threads"], row["pair"]) == ('a "b", c', "exp", "4", "2")
        assert row["name"] == timeline.names[timeline.name[i]]
        assert row["category"] == CATEGORY_NAMES[timeline.category[i]] and row["delegated"] == str(
            int(timeline.delegated[i])
        )
        assert Decimal(row["duration_us"]) * 1000 == int(timeline.duration_ns[i])
        assert Decimal(row["start_us"]) * 1000 == int(timeline.start_ns[i])
        assert (row["run_index"], row["event_index"]) == (str(timeline.run[i]), str(timeline.event[i]))
        assert row["parent"] == ("" if timeline.parent[i] < 0 else str(timeline.parent[i]))
        share = timeline.duration_ns[i] / timeline.method_ns[timeline.run[i]]
        assert float(row["pct_of_run"]) == pytest.approx(100 * share, abs=1e-4)


def test_leaf_rows_of_the_timeline_never_count_twice() -> None:
    timeline = build_timeline(read_etdump(MOBILENET_FP16), "t")
    rows = rows_of(timeline_csv(RowIdentity("m"), [Recording(timeline)]))
    leaves = sum(float(row["duration_us"]) for row in rows if row["category"] in CATEGORIES)
    assert {row["category"] for row in rows} <= {*CATEGORIES, CONTAINER}
    found = break_down(timeline)
    assert leaves * 1000 == pytest.approx((found.delegated + found.portable).sum())


def test_the_first_execution_s_table_is_the_head_of_the_whole_one() -> None:
    timeline = build_timeline(read_etdump(SMALL), "t")
    recordings = [Recording(timeline, 0), Recording(timeline, 1)]
    whole, first = (make(RowIdentity("m"), recordings) for make in (timeline_csv, first_run_csv))
    assert whole.startswith(first) and {row["run_index"] for row in rows_of(first)} == {"0"}
    assert len(rows_of(whole)) == 2 * len(timeline)


def test_operators_categories_and_overhead_add_up_to_the_median() -> None:
    recordings = [Recording(build_timeline(read_etdump(path), "t")) for path in (OFF, ON)]
    operators = operator_stats(recordings)
    medians = np.concatenate([r.timeline.method_ns for r in recordings]) / 1e6
    whole = join([break_down(r.timeline) for r in recordings])
    for category in CATEGORIES:
        total = sum(row.total_ms_per_run for row in operators if row.category == category)
        assert total == pytest.approx(whole.mean_shares()[category] * np.median(medians))
    totals = [row.total_ms_per_run for row in operators]
    assert totals == sorted(totals, reverse=True)


def test_operator_percentiles_are_of_single_calls() -> None:
    timeline = build_timeline(read_etdump(MOBILENET_FP16), "t")
    name = "native_call__to_dim_order_copy.out"
    row = next(row for row in operator_stats([Recording(timeline)]) if row.name == name)
    calls = timeline.duration_ns[[timeline.names[n] == name for n in timeline.name]] / 1000
    assert row.calls_per_run == len(calls) / 3
    assert (row.p10_us, row.median_us, row.p90_us) == pytest.approx(tuple(np.percentile(calls, (10, 50, 90))))


_TEXTS = st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20), min_size=1, max_size=5)


@settings(max_examples=200, deadline=None)
@given(
    _TEXTS,
    st.lists(st.tuples(st.integers(0, 4), st.integers(-(10**18), 10**18), st.integers(-(10**15), 10**15)), max_size=20),
)
def test_columns_made_as_bytes_read_back_as_they_went_in(choices: list[str], rows: list[tuple[int, int, int]]) -> None:
    which = np.array([r[0] % len(choices) for r in rows], np.int64)
    numbers, fixed = (np.array([r[i] for r in rows], np.int64) for i in (1, 2))
    data = csv_text.join(
        [
            csv_text.texts([csv_text.cell(c) for c in choices], which),
            csv_text.integers(numbers),
            csv_text.decimals(fixed, 3),
            csv_text.integers(numbers, empty_below=0),
        ],
        len(rows),
    )
    read = list(csv.reader(io.StringIO(data.decode("utf-8"), newline="")))
    assert [row[0] for row in read] == [choices[i] for i in which]
    assert [int(row[1]) for row in read] == numbers.tolist()
    assert [Decimal(row[2]) for row in read] == [Decimal(int(value)) / 1000 for value in fixed]
    assert [row[3] for row in read] == ["" if n < 0 else str(n) for n in numbers.tolist()]


# Latency


def test_outliers_are_classified_as_criterion_does_and_kept() -> None:
    values = [10.0, 10.1, 10.2, 10.3, 10.4, 10.5, 10.6, 10.7, 11.4, 15.0, 9.2, 2.0]
    low, high = np.percentile(values, (25, 75))
    classes = latency.classify_outliers(values)
    assert classes[9] == "high severe" and classes[11] == "low severe"
    for value, found in zip(values, classes, strict=True):
        assert (found is None) == (low - 1.5 * (high - low) <= value <= high + 1.5 * (high - low))
    statistics = latency.describe(values)
    assert statistics.count == len(values) and sum(statistics.outliers.values()) == sum(c is not None for c in classes)


def test_few_or_equal_values_are_never_outliers() -> None:
    assert latency.classify_outliers([1, 1, 1, 100]) == [None] * 4
    assert latency.mad_outliers([5.0] * 20 + [5.1]) == [False] * 21
    assert latency.describe([3.0]).median == 3.0
    with pytest.raises(ValueError):
        latency.describe([])


# A run directory


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return make_run(tmp_path / "run", {"off": OFF, "on": ON})


def test_a_run_s_summary_says_what_the_launches_and_traces_say(run: RunDirectory) -> None:
    analyze_run(run)
    summary = json.loads(run.analysis_summary.read_text())
    assert summary["schema_version"] == 1 and summary["model"] == MODEL and summary["feature"] == "AVX-512"
    for name in ("off", "on"):
        entry = summary["experiments"][name]["1"]
        assert entry["launches"] == 6 and entry["executions"] == 24
        assert set(entry["latency_ms"]) == {"median", "mean", "p10", "p90", "min", "max"}
        assert tuple(entry["categories_ms"]) == PARTS
        traced = entry["traced_latency_ms"]["median"]
        assert sum(entry["categories_ms"].values()) == pytest.approx(traced, rel=1e-9)
        overhead = entry["categories_ms"][FRAMEWORK_OVERHEAD]
        assert entry["delegated_ms"] + entry["portable_ms"] + overhead == pytest.approx(traced, rel=1e-9)
        assert entry["load_ms"] == 1.5 and entry["peak_rss_mib"] == 10 and 0 < entry["tracer_overhead_percent"] < 5
    (compared,) = summary["comparisons"]
    assert (compared["baseline"], compared["candidate"], compared["threads"], compared["pairs"]) == ("off", "on", 1, 6)
    assert compared["speedup"] == pytest.approx(SPEEDUP, rel=1e-3) and compared["verdict"] == "faster"
    assert compared["ci95"][0] <= compared["speedup"] <= compared["ci95"][1] and compared["noise_floor_percent"] is None
    assert compared["bottleneck"]["baseline"]["category"] in PARTS and compared["operators"]


def test_a_run_s_tables_hold_only_executions_after_warm_up(run: RunDirectory) -> None:
    analyze_run(run)
    for name in ("off", "on"):
        path = run.table(MODEL, name, 1, "all_runs_timeline")
        rows = rows_of(path.read_bytes())
        assert {(row["pair"], row["run_index"]) for row in rows} == {(str(pair), "0") for pair in range(6)}
        assert list(path.parent.glob("*_all_runs_timeline.csv")) == [path]
        first = rows_of(run.table(MODEL, name, 1, "run0_timeline").read_bytes())
        assert {row["pair"] for row in first} == {"0"}
        summary = json.loads(run.analysis_summary.read_text())["experiments"][name]["1"]
        operators = rows_of(run.table(MODEL, name, 1, "ops_stats").read_bytes())
        for category in CATEGORIES:
            total = sum(float(row["total_ms_per_run"]) for row in operators if row["category"] == category)
            assert total == pytest.approx(summary["categories_ms"][category], rel=1e-4, abs=1e-6)


def test_deriving_gives_the_files_that_an_analysis_writes_and_writes_none(run: RunDirectory) -> None:
    before = sorted(run.root.rglob("*"))
    files = derive(run)
    assert sorted(run.root.rglob("*")) == before
    analyze_run(run)
    assert {path: path.read_bytes() for path in files} == files
    assert list(files)[-1] == run.analysis_summary


def test_void_failed_and_incomplete_pairs_do_not_count(run: RunDirectory) -> None:
    made = {(x.experiment, x.pair): x for x in run.read_launches()}
    add_launch(run, made["off", 0], attempt=1, void="the machine was disturbed")
    add_launch(run, made["on", 0], attempt=1)
    add_launch(run, made["off", 1], attempt=1)  # killed before the other side was launched again
    add_launch(run, made["off", 2], attempt=1, latency_ns=(7_000_000,))
    add_launch(run, made["on", 2], attempt=1, latency_ns=(1_000_000,))
    add_launch(run, made["on", 3], exit_code=None, signal="SIGSEGV", latency_ns=())
    analysis = analyze_run(run)
    metrics = json.loads(run.metrics.read_text())["experiments"]["off"]["1"]
    assert [launch["pair"] for launch in metrics["launches"]] == [2, 4, 5]
    assert [launch["attempt"] for launch in metrics["launches"]] == [1, 0, 0]
    assert metrics["void"][0]["reason"] == "the machine was disturbed"
    assert summary_json(analysis)["comparisons"][0]["pairs"] == 3
    assert any("void" in note for note in run_notes(analysis))


def test_quick_runs_give_no_verdict(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", {"off": OFF, "on": ON}, quick=True)
    assert summary_json(analyze_run(run))["comparisons"][0]["verdict"] == "no verdict"
    assert "quick: no verdict" in run.pipeline_summary_md(MODEL).read_text()


def test_a_calibration_leaves_a_noise_floor_that_later_runs_use(tmp_path: Path) -> None:
    analyze_run(make_run(tmp_path / "run_aa", {"a": OFF, "b": OFF}, calibration=True))
    floor = json.loads((tmp_path / "run_aa" / "noise_floor.json").read_text())
    assert floor["calibrated"] == {"1": False}  # the made-up arms differ by a factor of 2
    analysis = analyze_run(make_run(tmp_path / "run", {"off": OFF, "on": ON}, noise_floor=floor))
    entry = summary_json(analysis)["comparisons"][0]
    assert entry["noise_floor_percent"] == floor["noise_floor_percent"]["1"]
    assert entry["verdict"] == "no difference shown"  # the made-up arms of the calibration differ as much


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({}, True),
        ({"model": "other"}, False),
        ({"cpu": "other"}, False),
        ({"calibrated": {"1": False}}, False),
        ({"quick": True}, False),
        ({"measured": "2020-01-01T00:00:00.000Z"}, False),
    ],
)
def test_a_floor_serves_the_same_model_on_the_same_cpu_for_a_day(changes: dict, found: bool, tmp_path: Path) -> None:
    held = {
        "schema_version": 1,
        "noise_floor_percent": {"1": 2.5},
        "calibrated": {"1": True},
        "model": "m",
        "cpu": "c",
        "quick": False,
        "measured": utc_now(),
    } | changes
    config = Config(Path("m.pte"), tmp_path / "run", ())
    assert find_noise_floor(config, "c") is None
    write_json(tmp_path / "run_aa" / "noise_floor.json", held)
    assert find_noise_floor(config, "c") == (held if found else None)


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"schema_version": 1, "model": "m", "cpu": "c", "measured": 5}'])
def test_a_damaged_floor_is_one_line(content: str, tmp_path: Path) -> None:
    (tmp_path / "run_aa").mkdir()
    (tmp_path / "run_aa" / "noise_floor.json").write_text(content)
    with pytest.raises(UserError, match="noise floor"):
        find_noise_floor(Config(Path("m.pte"), tmp_path / "run", ()), "c")


def test_one_pair_and_one_experiment_are_enough_for_an_analysis(tmp_path: Path) -> None:
    one = summary_json(analyze_run(make_run(tmp_path / "one", {"off": OFF, "on": ON}, pairs=1)))["comparisons"][0]
    assert one["ci95"] is None and one["p_value"] is None and one["verdict"] == "no verdict"
    assert summary_json(analyze_run(make_run(tmp_path / "alone", {"off": OFF})))["comparisons"] == []


def test_several_thread_counts_stay_apart(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", {"off": OFF, "on": ON}, pairs=2, threads=(1, 4))
    summary = summary_json(analyze_run(run))
    assert list(summary["experiments"]["on"]) == ["1", "4"]
    assert [entry["threads"] for entry in summary["comparisons"]] == [1, 4]


def test_a_run_without_traces_has_latencies_only(run: RunDirectory) -> None:
    lines = [json.loads(line) | {"etdump": None, "traced_ns": []} for line in run.launches.read_text().splitlines()]
    run.launches.write_text("".join(json.dumps(line) + "\n" for line in lines))
    entry = summary_json(analyze_run(run))["experiments"]["on"]["1"]
    assert (
        entry["categories_ms"] is None
        and entry["tracer_overhead_percent"] is None
        and entry["latency_ms"]["median"] > 0
    )


def test_the_command_prints_the_result_or_nothing(run: RunDirectory) -> None:
    told = kit("scripts/analyze_results.py", "--run-dir", run.root).ok().stdout
    assert (
        "AVX-512 on and off" in told
        and "on against off, 1 thread: 2.000x" in told
        and str(run.analysis_summary) in told
    )
    assert kit("scripts/analyze_results.py", "--run-dir", run.root, "--quiet").ok().stdout == ""


def _break_trace(run: RunDirectory) -> None:
    raw = run.root / run.read_launches()[0].etdump
    raw.write_bytes(raw.read_bytes()[:-9])


@pytest.mark.parametrize(
    "damage, said",
    [
        (lambda run: shutil.rmtree(run.root), "no run directory"),
        (lambda run: run.manifest.unlink(), "manifest.json is missing"),
        (lambda run: run.launches.unlink(), "no pair of launches is complete"),
        (lambda run: run.launches.write_text("{}\n"), "is not a launch"),
        (lambda run: (run.root / run.read_launches()[0].etdump).unlink(), "the ETDump does not exist"),
        (_break_trace, "the ETDump is truncated"),
        (
            lambda run: run.manifest.write_text(run.manifest.read_text().replace("AVX-512", "SME2")),
            "manifest was edited",
        ),
    ],
)
def test_a_damaged_run_is_one_line_and_nothing_is_written(run: RunDirectory, damage, said: str) -> None:
    analyze_run(run)
    before = run.analysis_summary.read_bytes()
    damage(run)
    assert said in kit("scripts/analyze_results.py", "--run-dir", run.root).error_line()
    if run.root.exists():
        assert run.analysis_summary.read_bytes() == before


def test_a_real_run_adds_up(toy_run: Path) -> None:
    summary = json.loads((toy_run / "analysis_summary.json").read_text())
    for by_threads in summary["experiments"].values():
        for entry in by_threads.values():
            traced = entry["traced_latency_ms"]["median"]
            assert sum(entry["categories_ms"].values()) == pytest.approx(traced, rel=0.01)
            assert entry["categories_ms"]["CONV"] > 0 and entry["unmapped_operators"] == []
            assert 0.3 < traced / entry["latency_ms"]["median"] < 3


# Tools for one file at a time


@pytest.fixture
def both(tmp_path: Path) -> dict[str, Path]:
    run = make_run(tmp_path / "a folder; $x é" / "run", {"off": OFF, "on": ON})
    analyze_run(run)
    return {name: run.table(MODEL, name, 1, "all_runs_timeline") for name in ("off", "on")}


def test_etdump_to_csv_writes_its_tables_and_a_summary(tmp_path: Path) -> None:
    done = kit(
        "tools/etdump_to_csv.py",
        "--etdump",
        MOBILENET_INT8,
        "--out-dir",
        tmp_path / "o",
        "--model-id",
        "my model",
        "--json",
    ).ok()
    told = json.loads(done.stdout)
    assert told == json.loads((tmp_path / "o" / "my model_summary.json").read_text())
    assert told["executions"] == 3
    assert sum(told["categories_ms"].values()) == pytest.approx(told["traced_latency_ms"]["median"])
    names = sorted(path.name for path in (tmp_path / "o").iterdir())
    assert names == [
        f"my model_{kind}" for kind in ("all_runs_timeline.csv", "ops_stats.csv", "run0_timeline.csv", "summary.json")
    ]


def test_etdump_to_csv_needs_neither_torch_nor_pandas() -> None:
    script = f"""
import runpy, sys
sys.argv = ["etdump_to_csv.py", "--help"]
try:
    runpy.run_path({str(KIT / "tools" / "etdump_to_csv.py")!r}, run_name="__main__")
except SystemExit:
    print([name for name in ("torch", "pandas", "executorch", "scipy", "rich") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip().endswith("[]"), done.stdout + done.stderr


@pytest.mark.parametrize("name", ["a/b", "..", ""])
def test_a_model_id_that_is_no_file_name_is_refused(tmp_path: Path, name: str) -> None:
    kit("tools/etdump_to_csv.py", "--etdump", SMALL, "--out-dir", tmp_path / "o", "--model-id", name).error_line()
    assert not (tmp_path / "o").exists()


def test_analyze_etdump_csv_compares_two_experiments(both: dict[str, Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = kit(
        "tools/analyze_etdump_csv.py",
        "--timeline-csv",
        both["off"],
        "--compare",
        both["on"],
        "--name1",
        "SME2-Off",
        "--name2",
        "SME2-On",
        "--output-dir",
        out,
        "--verbose",
    ).ok()
    assert "SME2-Off" in done.stdout and "SME2-On" in done.stdout
    names = ("operator_bottlenecks", "portable_vs_delegated", "category_comparison")
    assert sorted(path.name for path in out.iterdir()) == sorted(f"{n}.{e}" for n in names for e in ("csv", "md"))
    categories = rows_of((out / "category_comparison.csv").read_bytes())
    run = RunDirectory(both["off"].parents[1])
    for name, label in (("off", "SME2-Off"), ("on", "SME2-On")):
        expected = json.loads(run.analysis_summary.read_text())["experiments"][name]["1"]["categories_ms"]
        found = {row["category"]: float(row[f"{label} ms"]) for row in categories}
        assert found == pytest.approx(expected, rel=1e-4, abs=1e-6)
        placed = rows_of((out / "portable_vs_delegated.csv").read_bytes())
        assert sum(float(row["ms"]) for row in placed if row["experiment"] == label) == pytest.approx(
            sum(expected.values()), rel=1e-4
        )
    bottlenecks = rows_of((out / "operator_bottlenecks.csv").read_bytes())
    matched = [row for row in bottlenecks if "PQS8" in row["operator"]]
    assert matched and all(row["SME2-Off ms"] and row["SME2-On ms"] for row in matched)


def test_analyze_etdump_csv_takes_one_experiment_and_its_default_names(both: dict[str, Path]) -> None:
    done = kit("tools/analyze_etdump_csv.py", "--timeline-csv", both["off"]).ok()
    assert "off" in done.stdout and "speed-up" not in done.stdout
    rows = rows_of((both["off"].parent / "operator_bottlenecks.csv").read_bytes())
    assert set(rows[0]) == {"threads", "rank", "operator", "category", "delegated", "calls", "off ms", "off percent"}


def test_robust_latency_analysis_pairs_launches(both: dict[str, Path], tmp_path: Path) -> None:
    done = kit(
        "tools/robust_latency_analysis.py",
        "--timeline-csv",
        both["off"],
        "--compare",
        both["on"],
        "--output-dir",
        tmp_path,
    ).ok()
    found = json.loads((tmp_path / "latency_statistics.json").read_text())
    assert [entry["name"] for entry in found["experiments"]] == ["off", "on"]
    assert found["comparisons"][0]["pairs"] == 6 and "on against off" in done.stdout
    expected = [build_timeline(read_etdump(path), "t", 1).method_ns[0] / 1e6 for path in (OFF, ON)]
    assert found["comparisons"][0]["speedup"] == pytest.approx(expected[0] / expected[1], rel=1e-6)


def test_tables_of_single_traces_compare_without_a_verdict(tmp_path: Path) -> None:
    for name, path in (("a", OFF), ("b", ON)):
        kit("tools/etdump_to_csv.py", "--etdump", path, "--out-dir", tmp_path / name, "--model-id", "m").ok()
    kit(
        "tools/robust_latency_analysis.py",
        "--timeline-csv",
        tmp_path / "a" / "m_all_runs_timeline.csv",
        "--compare",
        tmp_path / "b" / "m_all_runs_timeline.csv",
        "--output-dir",
        tmp_path,
    ).ok()
    (entry,) = json.loads((tmp_path / "latency_statistics.json").read_text())["comparisons"]
    assert (entry["pairs"], entry["ci95"], entry["verdict"]) == (0, None, "no verdict")


_HEADER = ",".join(TIMELINE_COLUMNS)
_ROW = "m,e,1,0,0,0,Method::execute,container,0,,0.000,5.000,,,100"


@pytest.mark.parametrize(
    "content, said",
    [
        (b"", "empty"),
        ((_HEADER + "\n").encode(), "no rows"),
        (b"\x00\xff\xfe\x89PNG\r\n" * 30, "not CSV"),
        (b"a,b\n1,2\n", "lacks the column model_id"),
        (_HEADER.replace("duration_us", "duration").encode() + b"\n", "did you mean duration?"),
        (f"{_HEADER}\n{_ROW},9\n".encode(), "16 fields, not 15"),
        (f"{_HEADER}\n{_ROW}\n".replace("5.000", "nan").encode(), "duration_us nan"),
        (f"{_HEADER}\n{_ROW}\n".replace("5.000", "-5").encode(), "duration_us -5"),
        (f"{_HEADER}\n{_ROW}\n".replace("5.000", "x").encode(), "does not belong"),
        (f"{_HEADER}\n{_ROW}\n".replace("container", "Convolutions").encode(), "does not belong"),
        (f"{_HEADER}\n{_ROW}\n{_ROW}\n".encode(), "exactly one Method::execute"),
        (f"{_HEADER}\n{_ROW}\n".replace("5.000", "0.000").encode(), "with a duration"),
        (f"{_HEADER}\n{_ROW}\n".replace("0,0,0,Meth", "0,0,99999999999999999999,Meth").encode(), "does not belong"),
        ((f"{_HEADER}\n" + '"' + "x" * 2_000_000).encode(), "not CSV"),
    ],
)
@pytest.mark.parametrize("tool", ["analyze_etdump_csv", "robust_latency_analysis"])
def test_bad_tables_are_one_line_and_leave_nothing(tmp_path: Path, tool: str, content: bytes, said: str) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    assert said in kit(f"tools/{tool}.py", "--timeline-csv", path, "--output-dir", tmp_path / "out").error_line()
    assert not (tmp_path / "out").exists()


def test_tables_that_do_not_belong_together_are_refused(both: dict[str, Path], tmp_path: Path) -> None:
    tool = "tools/analyze_etdump_csv.py"
    off, on = both["off"], both["on"]
    for flags, said in (
        (("--timeline-csv", off, on, "--output-dir", tmp_path), "different models or experiments"),
        (("--timeline-csv", off, "--compare", on, "--name1", "x", "--name2", "x"), "different names"),
        (("--timeline-csv", off, "--name2", "x"), "--compare"),
        (("--timeline-csv", tmp_path / "none.csv"), "does not exist"),
        (("--timeline-cvs", off, "--timeline-csv", off), "did you mean --timeline-csv?"),
    ):
        assert said in kit(tool, *flags).error_line()


def test_an_etrecord_names_the_backends_and_must_be_the_model_s(tmp_path: Path) -> None:
    record = tmp_path / "m.etrecord"
    with zipfile.ZipFile(record, "w") as archive:
        archive.writestr("ETRECORD_V0", "")
        archive.writestr("delegate_map", json.dumps({"forward": {"0": {"name": "SomeBackend", "delegate_map": {}}}}))
    common = ("tools/etdump_to_csv.py", "--etrecord", record, "--out-dir", tmp_path, "--etdump")
    kit(*common, SMALL, "--model-id", "m").ok()
    rows = rows_of((tmp_path / "m_all_runs_timeline.csv").read_bytes())
    assert {row["backend"] for row in rows if row["delegated"] == "1"} == {"SomeBackend"}
    assert "knows no delegate" in kit(*common, MOBILENET_FP16).error_line()
    record.write_bytes(record.read_bytes()[:40])
    assert "no ETRecord" in kit(*common, SMALL).error_line()


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
