# SPDX-License-Identifier: Apache-2.0
"""The timeline and the operators of recorded traces, and statistics of latencies: numbers add up."""

from __future__ import annotations

import csv
import io
import sys
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.etdump import MOBILENET_FP16, SMALL
from support.traces import OFF, ON, rows_of

from model_profiling.analysis.comparing import latency
from model_profiling.analysis.tables import csv_text
from model_profiling.analysis.tables.timeline import first_run_csv, timeline_csv
from model_profiling.analysis.traces.breakdown import break_down, join
from model_profiling.analysis.traces.etdump import read_etdump
from model_profiling.analysis.traces.operator_names import CATEGORIES
from model_profiling.analysis.traces.operator_stats import operator_stats
from model_profiling.analysis.traces.operators import CONTAINER
from model_profiling.analysis.traces.recording import Recording, RowIdentity
from model_profiling.analysis.traces.timeline import CATEGORY_NAMES, build_timeline


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


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
