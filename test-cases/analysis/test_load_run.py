# SPDX-License-Identifier: Apache-2.0
"""Runs, sweeps and traces as DataFrames: the reference run's exact values, types, and what is wrong in one line."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.analysis import make_run
from support.kit import FIXTURES

from model_profiling import LoadedRun, UserError, load_etdump, load_run, load_runs, load_sweep
from model_profiling.analysis.loading.frames import read_table
from model_profiling.analysis.tables.opportunities import OPPORTUNITY_COLUMNS
from model_profiling.analysis.tables.sweep import SWEEP_COLUMNS
from model_profiling.pipeline.manifest import Manifest

RUN = FIXTURES / "reference_run" / "mac"
ON = FIXTURES / "etdump" / "a64-sme2on__qemu-sme-on__mv3_int8.etdump"
OFF = FIXTURES / "etdump" / "a64-sme2on__qemu-sme-off__mv3_int8.etdump"
SUMMARY = json.loads((RUN / "analysis_summary.json").read_text())
EXPERIMENTS = ("mac_sme2_on", "mac_sme2_off")
TABLES = ("latency", "comparisons", "operators", "layers", "kernels", "opportunities", "timeline")


@pytest.fixture(scope="module")
def run() -> LoadedRun:
    return load_run(RUN)


def rows_of(kind: str) -> list[dict[str, str]]:
    rows: list[dict[str, str]] = []
    for name in EXPERIMENTS:
        with open(RUN / name / f"toy_cnn_xnnpack_fp16_{name}_t1_{kind}.csv", newline="", encoding="utf-8") as file:
            rows += csv.DictReader(file)
    return rows


def test_the_manifest_is_the_run_s(run: LoadedRun) -> None:
    assert isinstance(run.manifest, Manifest)
    assert run.manifest.model.id == SUMMARY["model"] and run.manifest.feature.label == "AVX-512"


def test_latencies_are_every_execution_and_give_the_summary_s_medians(run: LoadedRun) -> None:
    assert len(run.latency) == 2 * 160 and run.latency["counts"].all()
    assert [str(dtype) for dtype in run.latency.dtypes] == ["category", *["int64"] * 4, "bool", "int64", "float64"]
    medians = run.latency.groupby("experiment", observed=True)["latency_ms"].median()
    for name in EXPERIMENTS:
        assert medians[name] == pytest.approx(SUMMARY["experiments"][name]["1"]["latency_ms"]["median"], rel=1e-12)
    first = json.loads((RUN / "launches.jsonl").read_text().splitlines()[0])
    mine = run.latency[run.latency["launch"] == 0]
    assert mine["latency_ms"].tolist() == [time / 1e6 for time in first["latency_ns"]]
    assert set(mine["experiment"]) == {first["experiment"]} and mine["execution"].tolist() == list(range(len(mine)))


def test_comparisons_are_the_summary_s(run: LoadedRun) -> None:
    (held,), (row,) = SUMMARY["comparisons"], run.comparisons.to_dict("records")
    assert [row["ci95_low"], row["ci95_high"]] == held["ci95"] and pd.isna(row["noise_floor_percent"])
    for key in ("baseline", "candidate", "threads", "pairs", "speedup", "p_value", "verdict"):
        assert row[key] == held[key]


@pytest.mark.parametrize(
    ("table", "kind"), [("operators", "ops_stats"), ("layers", "layers"), ("timeline", "all_runs_timeline")]
)
def test_a_table_has_the_csv_s_columns_and_values(run: LoadedRun, table: str, kind: str) -> None:
    frame, rows = getattr(run, table), rows_of(kind)
    assert list(frame.columns) == list(rows[0]) and len(frame) == len(rows) > 0
    for column in frame.columns:
        for value, text in zip(frame[column].tolist(), (row[column] for row in rows), strict=True):
            if pd.isna(value):
                assert text == ""
            elif isinstance(value, str):
                assert value == text
            else:
                assert float(value) == float(text), column


def test_values_have_their_types(run: LoadedRun) -> None:
    types = {column: str(dtype) for column, dtype in run.timeline.dtypes.items()}
    assert types == {
        "model_id": "category",
        "experiment": "category",
        "threads": "int64",
        "pair": "int64",
        "run_index": "int64",
        "event_index": "int64",
        "name": "category",
        "category": "category",
        "delegated": "bool",
        "backend": "category",
        "start_us": "float64",
        "duration_us": "float64",
        "parent": "Int64",
        "layer": "category",
        "pct_of_run": "float64",
    }
    assert set(run.timeline["category"].cat.categories) >= {"CONV", "GEMM"}
    assert str(run.operators.dtypes["delegated"]) == "bool" and str(run.layers.dtypes["matrix"]) == "bool"
    assert str(run.layers.dtypes["multiply_adds"]) == "int64" and str(run.layers.dtypes["gflops"]) == "float64"
    assert run.layers["module"].map(type).eq(str).all(), "a layer without a module has an empty text"


def test_a_table_is_read_once_and_the_run_is_frozen(run: LoadedRun) -> None:
    assert run.operators is run.operators
    with pytest.raises(AttributeError):
        run.manifest = None


def test_a_run_without_kernels_has_a_table_without_rows(run: LoadedRun) -> None:
    assert len(run.kernels) == 0 and str(run.kernels.dtypes["calls"]) == "Int64"
    assert list(run.kernels.columns)[:3] == ["model_id", "experiment", "layer"]


def test_a_run_that_was_not_analyzed_has_its_latencies(tmp_path: Path) -> None:
    bare = load_run(make_run(tmp_path / "run", {"off": OFF, "on": ON}).root)
    assert len(bare.latency) == 2 * 6 * 4 and "Not analyzed yet" in bare._repr_html_()
    for table in set(TABLES) - {"latency"}:
        with pytest.raises(UserError, match=r"has not been analyzed .* run analyze_results.py --run-dir"):
            getattr(bare, table)
    with pytest.raises(UserError, match="has not been analyzed"):
        bare.comparison()


def test_what_is_wrong_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no run directory"):
        load_run(tmp_path / "nowhere")
    copy = Path(shutil.copytree(RUN, tmp_path / "mac"))
    table = next(copy.glob("*/*_ops_stats.csv"))
    table.write_text(table.read_text().replace("pct_of_run", "percent"))
    with pytest.raises(UserError, match="lacks the column pct_of_run"):
        _ = load_run(str(copy)).operators
    table.write_text(table.read_text().replace("percent", "pct_of_run").replace(",CONV,1,", ",CONV,x,"))
    with pytest.raises(UserError, match="the table cannot be read"):
        _ = load_run(copy).operators


def test_opportunities_are_the_csv_s(run: LoadedRun) -> None:
    (row,), (held,) = run.opportunities.to_dict("records"), SUMMARY["opportunities"]
    assert tuple(row) == OPPORTUNITY_COLUMNS and row["where"] == held["where"][0] and row["do"] == held["do"]
    assert row["saves_ms"] == pytest.approx(held["saves_ms"], rel=1e-5) and pd.isna(row["saves_low_ms"])


def test_a_run_opens_without_its_results_being_read(tmp_path: Path) -> None:
    shutil.copy(RUN / "manifest.json", tmp_path)
    run = load_run(tmp_path)
    assert run.manifest.pairs == 8 and repr(run) == f"LoadedRun('{tmp_path}')"


def copy_without_the_feature(folder: Path) -> Path:
    """Make a run whose operators of one side alone were recorded, and kernels of them."""
    copy = Path(shutil.copytree(RUN, folder))
    for table in (copy / "mac_sme2_off").glob("*.csv"):
        table.unlink()
    name = "toy_cnn_xnnpack_fp16_mac_sme2_on_t1_kernels.csv"
    columns = "model_id,experiment,layer,operator,kernel,family,role,calls,evidence"
    row = "toy_cnn_xnnpack_fp16,mac_sme2_on,0 conv,Convolution,kai_x,SME2,compute,3,called"
    (copy / "mac_sme2_on" / name).write_text(f"{columns}\n{row}\n")
    return copy


def test_several_runs_are_one_below_the_other(run: LoadedRun, tmp_path: Path) -> None:
    copy = copy_without_the_feature(tmp_path / "copy")
    both = load_runs([RUN, copy])
    for table in TABLES:
        frame, alone = getattr(both, table), getattr(run, table)
        own = [column for column in alone.columns if column != "threads"]
        assert list(frame.columns) == ["run", "model", "recipe", "device", "threads", *own]
        first = frame[frame["run"] == str(RUN)].reset_index(drop=True)
        for column in own:
            assert first[column].tolist() == alone[column].tolist() or alone[column].isna().any(), column
            assert str(frame[column].dtype) == str(alone[column].dtype), column
        if len(frame):
            assert set(frame["model"]) == {"toy_cnn"} and set(frame["recipe"]) == {"fp16"}
            assert set(frame["device"]) == {"AMD EPYC"} and set(frame["threads"]) == {1}
    assert both.operators["run"].value_counts().to_dict() == {str(RUN): 30, str(copy): 15}
    assert both.kernels[["run", "threads", "calls"]].to_numpy().tolist() == [[str(copy), 1, 3]]


def test_columns_of_one_run_alone_are_empty_for_the_others(run: LoadedRun, monkeypatch: pytest.MonkeyPatch) -> None:
    both = load_runs([RUN, RUN])
    reaching = run.layers.assign(bound="memory", share_of_ceiling_percent=50.0).astype({"bound": "category"})
    monkeypatch.setitem(vars(both.runs[1]), "layers", reaching)
    half = len(run.layers)
    assert both.layers["bound"].isna().tolist() == [True] * half + [False] * half
    assert both.layers["bound"].dtype == "category" and both.layers["share_of_ceiling_percent"].iloc[-1] == 50


@pytest.mark.parametrize("paths", [[], str(RUN), RUN])
def test_several_runs_are_given_as_a_list(paths: object) -> None:
    with pytest.raises(UserError, match="this is no list of run directories"):
        load_runs(paths)


def test_a_sweep_has_a_row_a_cell(sweep_folder: Path) -> None:
    sweep = load_sweep(sweep_folder)
    with open(sweep_folder / "sweep.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert tuple(sweep.cells.columns) == SWEEP_COLUMNS and len(sweep.cells) == len(rows) == 25
    speedups = [None if pd.isna(value) else value for value in sweep.cells["speedup"]]
    assert speedups == [float(row["speedup"]) if row["speedup"] else None for row in rows]
    assert [str(sweep.cells[name].dtype) for name in ("dtype", "threads", "size_bytes")] == ["category"] + ["Int64"] * 2
    first = sweep.summary.cells[0].name
    assert [one.directory.root.name for one in sweep.runs.runs] == [first]
    assert sweep.run(first).comparison().value.verdict == "faster"
    assert "25 cells (23 done, 1 missing, 1 failed)" in sweep._repr_html_()
    with pytest.raises(UserError, match=rf"there is no cell '{first}0' \(did you mean {first}\?\)"):
        sweep.run(f"{first}0")


def test_what_is_no_sweep_is_said(tmp_path: Path, sweep_folder: Path) -> None:
    with pytest.raises(UserError, match="there is no sweep directory"):
        load_sweep(tmp_path / "nowhere")
    with pytest.raises(UserError, match=r"no results of a sweep \(sweep_summary.json is missing\)"):
        load_sweep(RUN)
    (sweep_folder / "sweep.csv").write_text("cell,model\n")
    with pytest.raises(UserError, match="lacks the column dtype"):
        _ = load_sweep(sweep_folder).cells


def test_a_trace_alone_is_as_in_its_run(run: LoadedRun) -> None:
    trace = load_etdump(RUN / "mac_sme2_on" / "mac_sme2_on_t1_p0.etdump")
    of_run = run.timeline.query("experiment == 'mac_sme2_on' and pair == 0")
    assert list(trace.timeline.columns) == list(of_run.columns)
    assert str(trace.timeline["threads"].dtype) == "Int64" and trace.timeline["pair"].isna().all()
    dropped = trace.timeline["run_index"].nunique() - of_run["run_index"].nunique()
    kept = trace.timeline[trace.timeline["run_index"] >= dropped]  # a run drops the first execution
    for column in ("name", "category", "delegated", "start_us", "duration_us"):
        assert kept[column].tolist() == of_run[column].tolist()
    assert set(trace.operators["name"]) == set(run.operators["name"])
    with pytest.raises(UserError, match="this is no ETDump"):
        load_etdump(RUN / "manifest.json")


_CELLS = st.one_of(st.integers().map(str), st.text(max_size=6), st.sampled_from(("", "nan", "inf", "1e999", "-", '"')))


@pytest.mark.filterwarnings("ignore:invalid value encountered in cast")  # pandas, before it refuses an infinite count
@given(st.lists(st.lists(_CELLS, max_size=6), max_size=3), st.sampled_from(("", "\udcff", "\0")))
@example([["0", "x", "1", str(2**64), "1", "a"]], "")
@example([["0", "x", "1", "1.5", "1", "a"]], "")
def test_whatever_a_table_holds_it_is_read_or_refused(rows: list[list[str]], end: str) -> None:
    dtypes = {"a": "int64", "b": "str", "c": "bool", "d": "Int64", "e": "float64", "f": "category"}
    text = "\n".join([",".join(dtypes), *(",".join(row) for row in rows)]) + end
    try:
        table = read_table(text.encode("utf-8", "surrogateescape"), dtypes)
    except UserError as error:
        assert "run analyze_results.py again" in str(error) and "\n" not in str(error)
    else:
        assert {column: str(dtype) for column, dtype in table.dtypes.items()} == dtypes
