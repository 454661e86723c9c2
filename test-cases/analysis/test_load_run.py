# SPDX-License-Identifier: Apache-2.0
"""A run as DataFrames: the committed reference run's exact values, types, and what is wrong in one line."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from support.analysis import make_run
from support.kit import FIXTURES

from model_profiling import load_run
from model_profiling.analysis.loading import LoadedRun
from model_profiling.errors import UserError
from model_profiling.pipeline.manifest import Manifest

RUN = FIXTURES / "reference_run" / "mac"
ON = FIXTURES / "etdump" / "a64-sme2on__qemu-sme-on__mv3_int8.etdump"
OFF = FIXTURES / "etdump" / "a64-sme2on__qemu-sme-off__mv3_int8.etdump"
SUMMARY = json.loads((RUN / "analysis_summary.json").read_text())
EXPERIMENTS = ("mac_sme2_on", "mac_sme2_off")


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
    assert types | {"name": "", "layer": ""} == {
        "model_id": "category",
        "experiment": "category",
        "threads": "int64",
        "pair": "int64",
        "run_index": "int64",
        "event_index": "int64",
        "name": "",
        "category": "category",
        "delegated": "bool",
        "backend": "category",
        "start_us": "float64",
        "duration_us": "float64",
        "parent": "Int64",
        "layer": "",
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
    assert len(bare.latency) == 2 * 6 * 4 and len(bare.operators) == 0
    with pytest.raises(UserError, match="analysis_summary.json does not exist"):
        _ = bare.comparisons


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


def test_the_package_itself_needs_neither_pandas_nor_numpy() -> None:
    heavy = "{'pandas', 'numpy', 'torch', 'scipy'}"
    program = f"import sys, model_profiling; print(sorted({heavy} & sys.modules.keys())); model_profiling.load_run"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    with pytest.raises(ImportError):
        from model_profiling import nothing_of_the_kind  # noqa: F401  # it is the import that fails


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
