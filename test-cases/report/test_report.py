# SPDX-License-Identifier: Apache-2.0
"""Reports of real runs: every number is the analysis's own, and pages work in a real browser."""

from __future__ import annotations

import json
import math
import re
import sys
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.edited import edit_launches, scaled
from support.kit import kit
from support.numbers import SVG, XHTML, check_numbers, layer_tables, numbers_of, text_of
from support.report import parsed, printed_numbers, report_anew, words

from model_profiling import rounding
from model_profiling.pipeline.run_directory import RunDirectory

# Numbers


def test_every_number_is_the_analysis_s_own(run: Path) -> None:
    numbers = numbers_of(parsed(run))
    assert len(numbers) >= 10
    check_numbers(run, numbers)


def test_no_measured_number_is_printed_without_its_source(run: Path) -> None:
    page = parsed(run)
    loose = []

    def walk(element: ElementTree.Element) -> None:
        named = element.get("translate") == "no"  # a name from the model
        skipped = named or element.get("data-path") or element.get("id") in ("trust", "setup", "reproduce")
        if skipped or element.tag in (f"{XHTML}head", f"{XHTML}header", f"{XHTML}script", f"{SVG}svg"):
            return
        loose.append(element.text or "")
        for child in element:
            walk(child)
            loose.append(child.tail or "")

    walk(page)
    assert not re.findall(r"\d+\.\d+", " ".join(loose))


def test_the_summary_s_main_numbers_are_all_there(run: Path) -> None:
    summary = json.loads((run / "analysis_summary.json").read_text())
    paths = {path for _, path, _ in printed_numbers(run)}
    for name, by_threads in summary["experiments"].items():
        for threads, entry in by_threads.items():
            here = f"analysis_summary.json#/experiments/{name}/{threads}"
            assert {f"{here}/latency_ms/{key}" for key in ("p10", "p90", "min", "max")} <= paths
            assert {
                f"{here}/{key}" for key in ("time_ms", "launches", "executions", "load_ms", "peak_rss_mib")
            } <= paths
            if entry["categories_ms"] and summary["comparisons"]:
                assert {f"{here}/categories_ms/{name}" for name in entry["categories_ms"]} <= paths
                assert {f"{here}/delegated_ms", f"{here}/portable_ms", f"{here}/tracer_overhead_percent"} <= paths
    for index, entry in enumerate(summary["comparisons"]):
        here = f"analysis_summary.json#/comparisons/{index}"
        assert {f"{here}/speedup", f"{here}/pairs"} <= paths
        assert not entry["ci95"] or {f"{here}/ci95/0", f"{here}/ci95/1", f"{here}/p_value"} <= paths


def test_markdown_prints_the_same_numbers_as_html(run: Path) -> None:
    markdown, page = (run / "report.md").read_text(), parsed(run)
    folded = {
        number.path
        for element in page.iter(f"{XHTML}details")
        if element.get("class") == "more"
        for number in numbers_of(element)
    }
    for number in numbers_of(page):
        assert number.path in folded or number.text.replace("<", "\\<") in markdown
    known = {text for text, _, _ in printed_numbers(run)}
    measured = "\n".join(markdown[: markdown.index("## Before you trust")].splitlines()[3:])
    # Names in code and descriptions of figures hold digits of the model's own.
    shown = re.findall(r"\d+\.\d+", re.sub(r"`[^`\n]*`|^!\[.*", "", measured, flags=re.MULTILINE))
    assert shown and set(shown) <= {number for text in known for number in re.findall(r"\d+\.\d+", text)}


def test_figures_print_the_same_numbers_as_the_tables(run: Path) -> None:
    known = {number for text, _, _ in printed_numbers(run) for number in re.findall(r"\d+\.\d+", text)}
    names = {name for row in layer_tables(run) for name in (row["module"], row["detail"])}
    for file in (run / "figures").glob("*.svg"):
        shown = {
            n
            for e in ElementTree.parse(file).iter(f"{SVG}text")
            if e.text not in names and "…" not in e.text
            for n in re.findall(r"\d+\.\d+", e.text)
        }
        assert shown <= known, file.name


def test_the_bottleneck_is_named_in_words(runs: dict[str, Path]) -> None:
    entry = json.loads((runs["toy"] / "analysis_summary.json").read_text())["comparisons"][0]
    was, becomes = (entry["bottleneck"][side]["category"] for side in ("baseline", "candidate"))
    words = (
        f"{was} takes the most time on both sides"
        if was == becomes
        else f"The bottleneck moves from {was} to {becomes}"
    )
    assert words in text_of(parsed(runs["toy"]))


@given(st.floats(1e-3, 1e6), st.floats(1e-9, 10))
def test_rounding_stays_within_the_spread(value: float, relative: float) -> None:
    half_width = value * relative
    places = rounding.places_for(half_width, value)
    printed = float(rounding.fixed(value, places).replace(",", ""))
    assert abs(printed - value) <= 0.5 * 10**-places * 1.001
    assert printed != 0
    if 0 < places < rounding.MAX_PLACES:
        last = 10.0**-places
        # No more than two uncertain digits, and the digits left out are smaller than the spread.
        assert half_width < 10 * rounding.TWO_DIGITS_BELOW * last * 1.001 or value < 10 * last
        assert last <= half_width * 1.001 or value < 10 * last


@given(st.floats(0.05, 20), st.floats(1.0001, 8))
def test_an_interval_prints_no_false_one_and_no_zero(speedup: float, factor: float) -> None:
    low, high = speedup / factor, speedup * factor
    places = rounding.ratio_places(low, speedup, high)
    nearest = min((low, high), key=lambda end: abs(math.log(end)))
    if not low <= 1 <= high and abs(nearest - 1) > 10**-rounding.MAX_PLACES:
        assert float(f"{nearest:.{places}f}") != 1
    assert low < 10**-rounding.MAX_PLACES or float(f"{low:.{places}f}") > 0
    assert float(f"{low:.{places}f}") <= float(f"{speedup:.{places}f}") <= float(f"{high:.{places}f}")


@pytest.mark.parametrize(
    ("value", "places", "text"),
    [(1234.56, 1, "1,234.6"), (-0.001, 2, "0.00"), (-1.5, 1, "-1.5"), (0.0, 0, "0"), (2.0, 2, "2.00")],
)
def test_numbers_are_written_plainly(value: float, places: int, text: str) -> None:
    assert rounding.fixed(value, places) == text


# Words


def test_the_report_names_what_was_switched(runs: dict[str, Path]) -> None:
    label = json.loads((runs["toy"] / "manifest.json").read_text())["feature"]["label"]
    for text in words(runs["toy"]).values():
        assert f"{label} on" in text and f"{label} off" in text
        if not label.startswith("SME"):
            assert "SME2 on" not in text and "SME2 off" not in text
            assert f"These times measure {label} and say nothing about SME2." in text


def test_a_quick_run_gives_no_verdict(runs: dict[str, Path]) -> None:
    for text in words(runs["rich"]).values():
        assert "quick: no verdict" in text
        assert "is faster than" not in text
    said = kit("scripts/generate_report.py", "--run-dir", runs["rich"]).ok().stdout
    assert "(quick: no verdict)" in said


def test_the_report_tells_how_to_reproduce_it(runs: dict[str, Path]) -> None:
    manifest = json.loads((runs["toy"] / "manifest.json").read_text())
    for text in words(runs["toy"]).values():
        for fact in (
            manifest["executorch"]["git_sha"],
            manifest["model"]["sha256"],
            f"--seed {manifest['seed']}",
            "mac_pipeline.py",
            "export_model.py",
            "--dtype fp32",
            manifest["cpu"]["model_name"],
        ):
            assert fact in text, fact


def test_agreement_of_outputs_is_reported(runs: dict[str, Path]) -> None:
    launches = RunDirectory(runs["toy"]).read_launches()
    entries = [entry for launch in launches for entry in launch.agreement]
    text = text_of(parsed(runs["toy"]))
    if all(entry["identical"] for entry in entries):
        assert f"bit for bit identical in all {len(entries)} comparisons" in text
    else:
        assert f"largest difference {max(entry['max_abs_error'] for entry in entries):.1e}" in text


def test_void_launches_are_told(toy_copy: Path) -> None:
    lines = (toy_copy / "launches.jsonl").read_text().splitlines()
    plain = json.loads(lines[2])
    lines[2] = json.dumps({**plain, "void": "CPU probe took 1.31 times its baseline"})
    (toy_copy / "launches.jsonl").write_text("\n".join(lines) + "\n")
    kit("scripts/analyze_results.py", "--run-dir", toy_copy).ok()
    kit("scripts/generate_report.py", "--run-dir", toy_copy).ok()
    for text in words(toy_copy).values():
        assert "Launches that did not count" in text
        assert f"Pair {plain['pair'] + 1}" in text and "CPU probe took 1.31 times its baseline" in text


def test_disturbed_pairs_that_were_made_again_are_told(toy_copy: Path) -> None:
    lines = (toy_copy / "launches.jsonl").read_text().splitlines()
    pair = [json.loads(line) for line in lines if json.loads(line)["pair"] == 1]
    void = [json.dumps({**launch, "void": "CPU probe took 1.31 times its baseline"}) for launch in pair]
    again = [json.dumps({**launch, "attempt": 1}) for launch in pair]
    others = [line for line in lines if json.loads(line)["pair"] != 1]
    (toy_copy / "launches.jsonl").write_text("\n".join([*others, *void, *again]) + "\n")
    report_anew(toy_copy)
    for text in words(toy_copy).values():
        assert f"{len(void)} launches of {len(lines) + len(void)} did not count" in text
        assert "1 pair was made again and counts." in text


def test_an_adaptive_number_of_pairs_is_told(toy_copy: Path) -> None:
    directory = RunDirectory(toy_copy)
    directory.write_manifest(replace(directory.read_manifest(), precision_percent=1.5))
    kit("scripts/generate_report.py", "--run-dir", toy_copy).ok()
    pairs = json.loads((toy_copy / "analysis_summary.json").read_text())["comparisons"][0]["pairs"]
    for text in words(toy_copy).values():
        assert "The number of pairs was adaptive" in text and "under 1.5 %" in text
        assert f"1 thread: {pairs} pairs." in text


def test_a_runner_that_was_built_from_source_is_told(toy_copy: Path) -> None:
    directory = RunDirectory(toy_copy)
    manifest = directory.read_manifest()
    build = {"variant": "android-arm64-native", "executorch_version": "1.5.1"}
    runners = {name: {**runner, "build": build} for name, runner in manifest.runner.items()}
    directory.write_manifest(replace(manifest, runner=runners))
    kit("scripts/generate_report.py", "--run-dir", toy_copy).ok()
    for text in words(toy_copy).values():
        assert "native, android-arm64-native, built from the sources of ExecuTorch 1.5.1, " in text
        assert "build_runners.sh --source android-arm64-native" in text


def test_drift_and_outliers_are_told_and_kept(toy_copy: Path) -> None:
    edit_launches(toy_copy, lambda x: scaled(x, (1 + 0.02 * x["index"]) * (9 if x["pair"] == 3 else 1)))
    report_anew(toy_copy)
    metrics = json.loads((toy_copy / "metrics.json").read_text())["experiments"]
    assert all(len(entry["1"]["launches"]) == 6 for entry in metrics.values())
    for text in words(toy_copy).values():
        assert "The machine drifted" in text and "Outlying launches" in text and "pair 4: " in text
    drift = r"1 thread: launches became \d+ % slower over the run\."
    (summary,) = toy_copy.glob("*_pipeline_summary.md")
    told = [re.findall(drift, text) for text in (summary.read_text(), (toy_copy / "report.md").read_text())]
    assert told[0] == told[1] != [], "the summary and the report say the same"


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
