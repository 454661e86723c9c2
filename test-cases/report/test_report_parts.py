# SPDX-License-Identifier: Apache-2.0
"""Operators, layers and thread counts in a report: ranked, explained, named where they got slower."""

from __future__ import annotations

import json
import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from support.kit import kit
from support.numbers import XHTML, check_numbers, layer_tables, numbers_of, text_of
from support.report import cells, edit_summary, parsed, rows_of, with_summary, words

from model_profiling.analysis.comparing.parts import MIN_PART_US
from model_profiling.pipeline.run_directory import RunDirectory
from model_profiling.report.breakdowns import breakdown_of
from model_profiling.report.combined import dtype_of
from model_profiling.report.compose import naming_of
from model_profiling.report.html import MOST_LAYERS
from model_profiling.report.layer_rows import layer_rows
from model_profiling.report.load import RunData
from model_profiling.report.operator_columns import largest
from model_profiling.report.operator_rows import operator_rows
from model_profiling.report.quantities import plain
from model_profiling.report.sections.reproduce import ReproduceSection
from model_profiling.report.view import TimeBreakdown


@pytest.mark.parametrize("name", ["toy", "deep", "rich"])
def test_every_layer_is_ranked_with_its_module_and_verdict(runs: dict[str, Path], name: str) -> None:
    page = parsed(runs[name])
    for entry in json.loads((runs[name] / "analysis_summary.json").read_text())["comparisons"][:1]:
        shown = rows_of(page, "Layers, ")[:MOST_LAYERS] + rows_of(page, "Further layers, ")
        shown = shown[: len(entry["layers"])]
        by_number = {layer["layer"].partition(" ")[0]: layer for layer in entry["layers"]}
        assert [cells(row)[0] for row in shown] != sorted(by_number) and {cells(row)[0] for row in shown} == set(
            by_number
        )
        longest = [max(by_number[cells(row)[0]][f"{side}_us"] for side in ("baseline", "candidate")) for row in shown]
        assert longest == sorted(longest, reverse=True)
        modules = {row["layer"]: (row["module"], row["detail"]) for row in layer_tables(runs[name])}
        for row in shown:
            layer = by_number[cells(row)[0]]
            module, detail = modules[layer["layer"]]
            assert module in cells(row)[1] and detail in cells(row)[1]
            short = min(layer["baseline_us"], layer["candidate_us"]) < MIN_PART_US
            assert bool(numbers_of(row[7])) == (not short and layer["speedup"] is not None)
            assert (cells(row)[8] == "–none") == (layer["verdict"] == "no verdict")
            assert layer["verdict"] in (cells(row)[8], "no verdict")


def test_what_no_layer_accounts_for_is_shown(toy_copy: Path) -> None:
    edit_summary(toy_copy, lambda summary: summary["experiments"]["on"]["1"].update(attributed_percent=91.25))
    for text in words(toy_copy).values():
        assert "could not be tied to a layer" in text and "8.8 % with" in text.replace("\u00a0", " ")
    check_numbers(toy_copy, numbers_of(parsed(toy_copy)))


def test_operators_and_layers_that_got_slower_are_named_beside_the_verdict(toy_copy: Path) -> None:
    found = {}

    def slow_down(summary: dict) -> None:
        entry = summary["comparisons"][0]
        for kind in ("operators", "layers"):
            part = next(
                part
                for part in entry[kind]
                if part["speedup"] is not None and (part.get("multiply_adds") or kind == "operators")
            )
            part |= {"verdict": "slower", "speedup": 0.5, "ci95": [0.45, 0.55], "p_value": 0.001}
            found[kind] = part.get("name") or part["layer"].split(" ")[1]
        entry["operators"][0]["slower"] = True

    edit_summary(toy_copy, slow_down)
    verdict = text_of(next(e for e in parsed(toy_copy).iter(f"{XHTML}div") if e.get("id") == "verdict"))
    for text in (verdict, (toy_copy / "report.md").read_text().replace("`", "")):
        assert f"Operator {found['operators']} got slower: " in text
        assert re.search(rf"Layer {re.escape(found['layers'])} \([^)]*\) got slower: ", text)


def test_few_pairs_name_nothing_slower(runs: dict[str, Path]) -> None:
    for text in words(runs["rich"]).values():
        assert "Which operators or layers got slower cannot be told from 4 pairs." in text
        assert "got slower: " not in text


def test_operators_outside_xnnpack_have_a_reason_and_a_cost(runs: dict[str, Path], tmp_path: Path) -> None:
    run = runs["deep"]
    record = json.loads(
        Path(json.loads((run / "manifest.json").read_text())["model"]["path"]).with_suffix(".json").read_text()
    )
    entry = json.loads((run / "analysis_summary.json").read_text())["comparisons"][0]
    outside = [layer for layer in entry["layers"] if layer["layer"].split(" ")[0].isdigit()]
    shown = rows_of(parsed(run), "Operators outside")
    assert len(shown) == len(record["delegation"]["not_delegated"])
    costs = [number.path for row in shown for number in numbers_of(row) if "baseline_us" in number.path]
    assert sum(len(path.split(",")) for path in costs) == len(outside)
    for rejected in record["delegation"]["not_delegated"]:
        row = next(
            row for row in shown if rejected["operator"] in cells(row)[0] and rejected["source"] in cells(row)[0]
        )
        assert rejected["module"] in cells(row)[0] and rejected["reason"] in cells(row)[4]
        assert cells(row)[1] == str(rejected["count"]) and numbers_of(row[2]) and numbers_of(row[3])


def test_without_the_export_s_record_costs_remain(runs: dict[str, Path], tmp_path: Path) -> None:
    run = Path(shutil.copytree(runs["deep"], tmp_path / "run"))
    directory = RunDirectory(run)
    manifest = directory.read_manifest()
    directory.write_manifest(replace(manifest, model=replace(manifest.model, path=str(tmp_path / "gone.pte"))))
    directory.program_records.unlink()
    kit("scripts/generate_report.py", "--run-dir", run).ok()
    shown = rows_of(parsed(run), "Operators outside")
    assert shown and all("not recorded" in cells(row)[4] and numbers_of(row[2]) for row in shown)


def test_threads_are_compared_in_a_table_and_in_words(runs: dict[str, Path]) -> None:
    page, summary = parsed(runs["rich"]), json.loads((runs["rich"] / "analysis_summary.json").read_text())
    launches = RunDirectory(runs["rich"]).read_launches()
    shown = rows_of(page, "Threads, ")
    assert len(shown) == len(summary["comparisons"])
    for row in shown:
        asked = int(cells(row)[0])
        assert cells(row)[1] == str({launch.threads_resolved for launch in launches if launch.threads == asked}.pop())
        assert len(numbers_of(row)) == 5
    for text in words(runs["rich"]).values():
        assert len(re.findall(r"In without[^.]*, 2 threads are [\d.]+ times as fast as 1\.", text)) == 2
    assert "Threads: " not in text_of(parsed(runs["toy"]))


# From the reference run as read


def test_the_largest_of_an_operator_s_rows_is_one_column_a_side(reference: RunData) -> None:
    """The candidate's second row of the convolution holds the largest: its table is ordered by time."""
    off, on = largest("90th percentile", "µs", "p90_us")
    assert off.titled("AVX-512 off", "AVX-512 on") == "90th percentile, AVX-512 off (µs)"
    assert on.titled("AVX-512 off", "AVX-512 on") == "90th percentile, AVX-512 on (µs)"
    rows = operator_rows(reference, 0)
    assert rows[0].name == "Convolution (NHWC, F16) IGEMM"
    assert [row.stats.p90_us for row in rows[0].rows[1]] == [1107.5, 1110.2, 37.0]
    shown = [column.value(rows[0]) for column in (off, on)]
    assert [(number.text, number.raw, number.path.partition("_ops_stats.csv")[2]) for number in shown] == [
        ("1,900", 1900.0, "#/0/p90_us"),
        ("1,110", 1110.2, "#/1/p90_us"),
    ]
    assert len(rows) == 8
    for row in rows:
        for side, column in enumerate((off, on)):
            assert column.value(row).raw == max(traced.stats.p90_us for traced in row.rows[side])


def test_a_side_without_a_table_of_operators_has_no_largest(reference: RunData) -> None:
    off, on = largest("90th percentile", "µs", "p90_us")
    tables = {key: table for key, table in reference.operators.items() if key == ("mac_sme2_off", 1)}
    (convolution, *_) = operator_rows(replace(reference, operators=tables), 0)
    assert off.value(convolution).raw == 1900.0 and on.value(convolution) is None


def test_a_layer_that_ran_on_one_side_alone_has_one_time(reference: RunData) -> None:
    def fused_away(summary: dict) -> None:
        layer = next(x for x in summary["comparisons"][0]["layers"] if x["layer"].startswith("0.6 concatenate"))
        layer |= {"baseline_us": None, "speedup": None, "ci95": None}

    both, one = (
        next(row for row in layer_rows(run, 0) if row.number == "0.6")
        for run in (reference, with_summary(reference, fused_away))
    )
    assert (both.baseline.text, both.candidate.text) == ("19", "16")
    assert (one.baseline, one.candidate.text, one.speedup, one.verdict) == (None, "16", None, "")


def broken_down(run: RunData, **changes: object) -> TimeBreakdown:
    """Return where the time went in a run whose baseline was traced otherwise."""
    changed = with_summary(run, lambda summary: summary["experiments"]["mac_sme2_off"]["1"].update(changes))
    return breakdown_of(changed, naming_of(changed), 0)


def test_traces_that_took_no_time_have_no_bottleneck(reference: RunData) -> None:
    categories = reference.summary.experiments["mac_sme2_off"][1].traced.categories_ms
    found = broken_down(reference, categories_ms=dict.fromkeys(categories, 0.0))
    assert found.bottleneck == (("The traces hold no time to attribute.",),)
    convolution = next(row for row in found.categories if row.name == "CONV")
    assert convolution.baseline.text == "0" and convolution.baseline_share is None
    assert convolution.candidate.text == "2.28" and convolution.candidate_share.text == "86"


def test_what_no_layer_accounts_for_is_told_of_both_sides_or_not_at_all(reference: RunData) -> None:
    """Runs that an older version of the kit analyzed do not say it."""
    told = broken_down(reference, attributed_percent=91.25).not_attributed
    assert plain(told) == (
        "Of the operators' time, 8.8 % with AVX-512 off and 0.0 % with AVX-512 on could not be tied to a layer."
    )
    without = broken_down(reference, attributed_percent=None)
    assert without.not_attributed == () and len(without.layers) == 16


def test_a_group_size_stands_in_the_command_and_beside_the_dtype(reference: RunData) -> None:
    grouped = {"model": "toy_cnn", "source": "kit", "dtype": "8da4w", "group_size": 32, "backend": "xnnpack"}
    section = ReproduceSection.of(replace(reference, exports=(grouped,)), None, None)
    (command,) = (command for what, command in section.commands if what == "Export the same model")
    assert "--dtype 8da4w" in command and "--group-size 32" in command
    (program,) = reference.manifest.every_program
    assert dtype_of(program, grouped) == "8da4w_g32"
    assert dtype_of(program, {**grouped, "group_size": 0}) == "8da4w"
    named = replace(program, model=replace(program.model, id="mine_xnnpack_8da4w_g64"))
    assert dtype_of(named, None) == "8da4w_g64"


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
