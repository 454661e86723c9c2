# SPDX-License-Identifier: Apache-2.0
"""The timeline beside a report, and the command that writes them."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest
from support.kit import kit
from support.numbers import XHTML, layer_tables, parse_page, text_of


def test_the_timeline_nests_delegates_under_the_method(run: Path) -> None:
    trace = json.loads((run / "timeline.json").read_text())
    assert trace["displayTimeUnit"] == "ms"
    events = [event for event in trace["traceEvents"] if event["ph"] == "X"]
    named = {event["pid"] for event in trace["traceEvents"] if event["name"] == "process_name"}
    assert named == {event["pid"] for event in events}
    assert bool(events) == bool(list(run.glob("*/*_run0_timeline.csv")))
    for process in named:
        open_until: list[tuple[float, str]] = []
        seen = []
        for event in (e for e in events if e["pid"] == process):
            assert event["ts"] >= 0 and event["dur"] >= 0
            while open_until and event["ts"] >= open_until[-1][0] - 0.0015:
                open_until.pop()
            assert not open_until or event["ts"] + event["dur"] <= open_until[-1][0] + 0.0015, event
            seen.append([name for _, name in open_until] + [event["name"]])
            open_until.append((event["ts"] + event["dur"], event["name"]))
        assert seen[0] == ["Method::execute"]
        operators = [
            stack
            for stack, event in zip(seen, (e for e in events if e["pid"] == process), strict=True)
            if event["args"]["delegated"]
        ]
        assert operators and all(stack[:2] == ["Method::execute", "DELEGATE_CALL"] for stack in operators)


def test_the_timeline_keeps_what_was_recorded(runs: dict[str, Path]) -> None:
    import csv

    trace = json.loads((runs["toy"] / "timeline.json").read_text())
    rows = [row for file in runs["toy"].glob("*/*_run0_timeline.csv") for row in csv.DictReader(open(file))]
    events = [event for event in trace["traceEvents"] if event["ph"] == "X"]
    assert sorted((e["name"], e["args"]["recorded_duration_us"]) for e in events) == sorted(
        (row["name"], float(row["duration_us"])) for row in rows
    )


def test_a_report_without_layers_says_so(toy_run: Path, tmp_path: Path) -> None:
    """As of a program whose graph, or its record, cannot be read."""
    copy = shutil.copytree(toy_run, tmp_path / "run")
    (copy / "model_graph.json").unlink()
    for table in copy.glob("*/*_layers.csv"):
        table.unlink()
    kit("scripts/analyze_results.py", "--run-dir", copy).ok()
    kit("scripts/generate_report.py", "--run-dir", copy).ok()
    for report in ("report.md", "report.html"):
        assert "Layers are not reported" not in (toy_run / report).read_text()
        text = (copy / report).read_text()
        assert text.count("Layers are not reported") == 1 and "Layers before and after" not in text


def test_operators_of_the_timeline_name_their_layers(run: Path) -> None:
    known = {row["layer"] for row in layer_tables(run)}
    events = [event for event in json.loads((run / "timeline.json").read_text())["traceEvents"] if event["ph"] == "X"]
    operators = [event for event in events if event["cat"] != "container"]
    assert {event["args"]["layer"] for event in operators} <= known
    assert all(event["args"]["layer"] == "" for event in events if event["cat"] == "container")
    assert bool(operators) == bool(known)


def test_one_file_instead_of_all(runs: dict[str, Path], tmp_path: Path) -> None:
    kit(
        "scripts/generate_report.py",
        "--run-dir",
        runs["toy"],
        "--out",
        tmp_path / "x.html",
        "--title",
        "Mine & <yours>",
    ).ok()
    assert [file.name for file in tmp_path.iterdir()] == ["x.html"]
    page = parse_page(tmp_path / "x.html")
    assert text_of(next(page.iter(f"{XHTML}h1"))) == "Mine & <yours>"


@pytest.mark.parametrize("out", ["report.pdf", "report", "folder"])
def test_a_target_of_no_format_is_refused(runs: dict[str, Path], tmp_path: Path, out: str) -> None:
    (tmp_path / "folder").mkdir()
    line = kit("scripts/generate_report.py", "--run-dir", runs["toy"], "--out", tmp_path / out).error_line()
    assert ".html or .md" in line
    assert [file.name for file in tmp_path.iterdir()] == ["folder"]


def test_a_run_without_analysis_is_refused(toy_copy: Path) -> None:
    before = (toy_copy / "report.html").read_bytes()
    (toy_copy / "analysis_summary.json").unlink()
    line = kit("scripts/generate_report.py", "--run-dir", toy_copy).error_line()
    assert "analyze_results.py" in line and str(toy_copy) in line
    assert (toy_copy / "report.html").read_bytes() == before


@pytest.mark.parametrize(
    "damage",
    [
        lambda run: (run / "manifest.json").unlink(),
        lambda run: (run / "manifest.json").write_text("{}"),
        lambda run: (run / "analysis_summary.json").write_text("[1]"),
        lambda run: (run / "analysis_summary.json").write_text("{"),
        lambda run: (run / "metrics.json").unlink(),
        lambda run: (run / "analysis_summary.json").write_text(
            (run / "analysis_summary.json").read_text().replace("toy_cnn_xnnpack_fp32", "another")
        ),
        lambda run: (run / "launches.jsonl").write_text("nonsense\n"),
        lambda run: [file.write_text("a,b\n1,2\n") for file in run.glob("*/*_run0_timeline.csv")],
        lambda run: [file.write_text("a,b\n1,2\n") for file in run.glob("*/*_layers.csv")],
        lambda run: [
            file.write_text(file.read_text().replace(",1,1,", ",1,1,x")) for file in run.glob("*/*_layers.csv")
        ],
    ],
)
def test_a_damaged_run_gives_one_line_and_leaves_the_report(toy_copy: Path, damage) -> None:
    before = (toy_copy / "report.html").read_bytes()
    damage(toy_copy)
    kit("scripts/generate_report.py", "--run-dir", toy_copy).error_line()
    assert (toy_copy / "report.html").read_bytes() == before


def test_figures_of_an_earlier_report_do_not_linger(toy_copy: Path) -> None:
    (toy_copy / "figures" / "categories-comparison-7.svg").write_text("<svg/>")
    kit("scripts/generate_report.py", "--run-dir", toy_copy).ok()
    assert not (toy_copy / "figures" / "categories-comparison-7.svg").exists()


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
