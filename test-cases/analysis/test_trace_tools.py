# SPDX-License-Identifier: Apache-2.0
"""The commands that work on one trace or table at a time."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from support.analysis import MODEL, make_run
from support.etdump import MOBILENET_FP16, MOBILENET_INT8, SMALL, Block, Event, operator, write_etdump
from support.kit import KIT, kit
from support.traces import OFF, ON, method, rows_of

from model_profiling.analysis.tables.timeline import TIMELINE_COLUMNS
from model_profiling.analysis.traces.etdump import read_etdump
from model_profiling.analysis.traces.operators import DELEGATE_CALL
from model_profiling.analysis.traces.timeline import build_timeline
from model_profiling.pipeline.run_directory import RunDirectory
from model_profiling.report.run_files import analyze_run


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


def test_etdump_to_csv_names_operators_that_the_kit_does_not_know(tmp_path: Path) -> None:
    events = (
        operator("Mystery (NC, F32) #1", 0, 300_000),
        operator("Convolution (NHWC, F32) IGEMM #1", 0, 100_000),
        Event(DELEGATE_CALL, 0, 0, start=0, end=450_000),
        method(500_000),
    )
    (tmp_path / "odd.etdump").write_bytes(write_etdump([Block("Execute", events)]))
    said = kit("tools/etdump_to_csv.py", "--etdump", tmp_path / "odd.etdump").ok().stdout
    assert "Operators without a category of their own, counted as Other: Mystery (NC, F32)." in said.splitlines()
    assert re.search(r"^  Other +0\.3\d* +60\.0 %$", said, re.MULTILINE)
    known = kit("tools/etdump_to_csv.py", "--etdump", SMALL, "--out-dir", tmp_path / "known").ok()
    assert "Most expensive operators" in known.stdout and "without a category" not in known.stdout


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


def test_robust_latency_analysis_shows_every_launch_when_asked(both: dict[str, Path], tmp_path: Path) -> None:
    command = ("tools/robust_latency_analysis.py", "--timeline-csv", both["off"], "--output-dir", tmp_path)
    said = kit(*command, "--verbose").ok().stdout
    launches = said.partition("Median of each launch\n")[2].splitlines()
    assert [re.split(r"\s{2,}", line.strip()) for line in launches[:8]] == [
        ["experiment", "threads", "pair", "median ms"],
        *(["off", "1", str(pair), "162"] for pair in range(6)),
        [""],
    ]
    assert "Median of each launch" not in kit(*command).ok().stdout


def test_a_table_beside_itself_is_first_and_second(both: dict[str, Path], tmp_path: Path) -> None:
    """No name was given to tell the two sides apart, so the experiment's is marked."""
    command = ("tools/robust_latency_analysis.py", "--timeline-csv", both["off"], "--compare", both["off"])
    said = kit(*command, "--output-dir", tmp_path).ok().stdout
    found = json.loads((tmp_path / "latency_statistics.json").read_text())
    assert [entry["name"] for entry in found["experiments"]] == ["off (first)", "off (second)"]
    assert found["comparisons"][0]["speedup"] == 1
    assert "off (second) against off (first), 1 thread: 1.0x (95 % interval 1.0 to 1.0 from 6 pairs)" in said
    kit(*command, "--name2", "again", "--output-dir", tmp_path).ok()
    found = json.loads((tmp_path / "latency_statistics.json").read_text())
    assert [entry["name"] for entry in found["experiments"]] == ["off", "again"]


def test_tables_of_other_thread_counts_do_not_compare(tmp_path: Path) -> None:
    tables = []
    for threads in (1, 4):
        run = make_run(tmp_path / str(threads), {"off": OFF, "on": ON}, pairs=2, threads=(threads,))
        analyze_run(run)
        tables.append(run.table(MODEL, "on", threads, "all_runs_timeline"))
    command = ("tools/analyze_etdump_csv.py", "--timeline-csv", tables[0], "--compare", tables[1])
    line = kit(*command, "--output-dir", tmp_path / "out").error_line()
    assert "the two sides have no thread count in common, in --timeline-csv and --compare: name tables" in line
    assert not (tmp_path / "out").exists()


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
