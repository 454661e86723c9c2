# SPDX-License-Identifier: Apache-2.0
"""Sentences and text tables: on a terminal and off it, of kernels, of a run's doubts, of two runs."""

from __future__ import annotations

import io
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from support.analysis import add_launch, make_run
from support.etdump import Block, Event, operator, write_etdump
from support.traces import OFF, ON, method

from model_profiling.analysis.comparing.run_comparison import compare_run_directories
from model_profiling.analysis.kernels.entries import CalledKernels, Coverage, RegisteredKernels
from model_profiling.analysis.run import analyze
from model_profiling.analysis.traces.operators import DELEGATE_CALL
from model_profiling.pipeline.run_directory import RunDirectory
from model_profiling.report.quantities import quantity
from model_profiling.report.words.kernels import coverage_sentence, kernel_entry_json, kernel_sentences, percent
from model_profiling.report.words.notes import run_notes
from model_profiling.report.words.run_comparison import comparison_lines
from model_profiling.report.words.table import Table

# Tables


class Terminal(io.StringIO):
    """An output that says it is a terminal."""

    def isatty(self) -> bool:
        return True


#: Text that rich would take for markup, a number of a measurement, a cell without a value, and a line break.
LATENCY = Table(
    "Latency of [red]m[/]",
    ("experiment", "median ms", "note"),
    (
        ("[bold]on[/]", quantity(1.2345, "analysis_summary.json#/experiments/on/1/latency_ms/median", 2), None),
        ("off", "12.30", "two\nlines"),
    ),
    frozenset(("median ms",)),
)


#: What sets a style on a terminal.
_ESCAPES = re.compile(r"\x1b\[[\d;]*m")


def shown(table: Table, output: io.StringIO, monkeypatch: pytest.MonkeyPatch, columns: int = 60) -> str:
    """Return what a table prints on an output so wide."""
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stdout", output)
    table.show()
    return output.getvalue()


def test_a_table_on_a_terminal_has_a_rule_and_takes_no_text_for_markup(monkeypatch: pytest.MonkeyPatch) -> None:
    text = shown(LATENCY, Terminal(), monkeypatch)
    assert text.startswith("\x1b[1mLatency of [red]m[/]"), "the title is bold and as it was given"
    assert [line.rstrip() for line in _ESCAPES.sub("", text).splitlines()] == [
        "Latency of [red]m[/]",
        "",
        "  experiment    median ms   note",
        " " + "─" * 37,
        "  [bold]on[/]        1.23   -",
        "  off               12.30   two lines",
        "",
    ]


def test_a_table_elsewhere_is_plain_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown(LATENCY, io.StringIO(), monkeypatch).splitlines() == [
        "Latency of [red]m[/]",
        "  experiment   median ms  note",
        "  [bold]on[/]       1.23  -",
        "  off              12.30  two lines",
        "",
    ]


def test_a_narrow_terminal_breaks_a_name_and_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """A time with its share holds a blank, where text would be broken."""
    name, time = "Framework overhead, outside of all operators", "0.036 ( 0.8 %)"
    table = Table("Where the time goes", ("category", "off (ms)"), ((name, time),), frozenset(("off (ms)",)))
    lines = _ESCAPES.sub("", shown(table, Terminal(), monkeypatch, columns=30)).splitlines()
    assert max(map(len, lines)) <= 30
    broken = [line.split() for line in lines[4:-1]]
    assert broken[0] == ["Framework", *time.split()] and sum(broken[1:], []) == name.split()[1:]


# Kernels


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.0, "0 %"),
        (0.0001, "under 1 %"),
        (0.0049, "under 1 %"),
        (0.006, "1 %"),
        (0.97, "97 %"),
        (0.9951, "over 99 %"),
        (1.0, "100 %"),
    ],
)
def test_a_share_is_never_rounded_to_none_or_to_all(share: float, text: str) -> None:
    assert percent(share) == text


def test_one_small_layer_on_sme2_is_not_called_none() -> None:
    assert coverage_sentence(Coverage(1, 54, 640, 56_000_000)) == (
        "1 of 54 matrix layers, under 1 % of multiply-adds, reach SME2 kernels"
    )
    assert coverage_sentence(Coverage(0, 0, 0, 0)) == (
        "The model has no matrix layers, so nothing of it can reach SME2 kernels"
    )


def test_calls_of_a_model_of_unknown_layers_say_so() -> None:
    entry = CalledKernels(12, {"sme2": {"compute": 3, "pack": 0}}, None, {}, ())
    said = "The model's layers are not known, and so neither is how many reach SME2"
    assert kernel_sentences(entry) == (said,)
    plain = kernel_entry_json(entry)
    assert (plain["evidence"], plain["sentence"], plain["sme2_coverage"], plain["sme2_time"]) == (
        "called",
        said,
        None,
        {},
    )


def test_packed_layers_have_a_sentence_only_where_the_model_s_are_known() -> None:
    families = {"sme2": {"compute": 3, "pack": 0}, "neon": {"compute": 26, "pack": 0}}
    entry = RegisteredKernels(31, 37, 0, families, {}, {}, None)
    registered = "XNNPACK registered 31 kernels while loading, 3 of them SME2: candidates, not calls"
    assert kernel_sentences(entry) == (registered,) and kernel_entry_json(entry)["packed_for_sme"] is None
    packed = kernel_entry_json(replace(entry, packed_for_sme=Coverage(43, 54, 49_049_856, 56_510_464)))
    assert packed["sentence"] == registered
    assert packed["packed_for_sme"]["layers"] == 43
    assert packed["packed_for_sme"]["sentence"].startswith(
        "43 of 54 matrix layers, 87 % of multiply-adds, ran with element types (PF32, PF16, PQS8)"
    )


# What makes a run's numbers less certain


def test_a_comparison_whose_only_pair_was_disturbed_is_missed(tmp_path: Path) -> None:
    """The side "on" also ran with 4 threads, where there is nothing to compare it with."""
    run = make_run(tmp_path / "run", {"off": OFF, "on": ON}, pairs=1, threads=(1, 4))
    manifest = run.read_manifest()
    off, on = manifest.config_json["experiments"]
    experiments = [{**off, "threads": [1]}, on]
    run.write_manifest(replace(manifest, config_json={**manifest.config_json, "experiments": experiments}))
    add_launch(run, run.read_launches()[0], attempt=1, void="CPU probe took 1.31 times its baseline")
    assert run_notes(analyze(run)) == (
        "1 launch of 5 did not count, and neither did the rest of their pairs.",
        "off and on share no complete pair of launches, so they are not compared.",
    )


def test_a_trace_that_cannot_be_right_is_told_of_its_own_side(tmp_path: Path) -> None:
    """An operator that the kit does not know reports 700 ns of a method that took 500."""
    events = (operator("Mystery (NC, F32) #1", 0, 700), Event(DELEGATE_CALL, 0, 0, start=0, end=750), method(500))
    (tmp_path / "odd.etdump").write_bytes(write_etdump([Block("Execute", events)] * 2))
    run = make_run(tmp_path / "run", {"off": OFF, "on": tmp_path / "odd.etdump"})
    assert run_notes(analyze(run)) == (
        "on, 1 thread: operators without a category of their own, counted as Other: Mystery (NC, F32).",
        "on, 1 thread: operators report more time than their method took.",
    )


# Two runs


def lines_of(baseline: RunDirectory, candidate: RunDirectory) -> list[str]:
    return comparison_lines(compare_run_directories(baseline, candidate))


def test_a_run_of_one_launch_has_a_ratio_and_no_interval(tmp_path: Path) -> None:
    """The first experiment of each run takes 2 ms, the second 1 ms: they change places."""
    one = make_run(tmp_path / "one", {"off": OFF, "on": ON}, pairs=1)
    two = make_run(tmp_path / "two", {"on": ON, "off": OFF}, pairs=2)
    lines = lines_of(one, two)
    assert [re.split(r"\s{2,}", line) for line in lines[:3]] == [
        ["experiment", "threads", "launches", "baseline", "candidate", "time ratio", "95 % interval", "change"],
        ["off", "1", "1 / 2", "2.001 ms", "1.001 ms", "0.50", "none", "-50 %"],
        ["on", "1", "1 / 2", "1 ms", "2.002 ms", "2.0", "none", "+100 %"],
    ]
    assert "A run with one launch has no interval and supports no verdict." in lines
    several = lines_of(two, two)
    assert re.split(r"\s{2,}", several[1])[5:7] == ["1.000", "0.998 to 1.002"]
    assert not any("one launch" in line for line in several)


def test_experiments_of_one_run_alone_are_named_with_its_folder(tmp_path: Path) -> None:
    small = make_run(tmp_path / "small", {"off": OFF, "on": ON}, pairs=2)
    large = make_run(tmp_path / "large", {"off": OFF, "on": ON}, pairs=2, threads=(1, 4))
    told = f"Only in {tmp_path / 'large'}: off on 4 threads, on on 4 threads."
    for baseline, candidate in ((small, large), (large, small)):
        assert [line for line in lines_of(baseline, candidate) if line.startswith("Only in ")] == [told]


def test_of_long_values_the_difference_is_shown_only_where_it_can_be_seen(tmp_path: Path) -> None:
    """Settings are told in the order of their names: warm-ups come last, after the inputs' long path."""

    def run(name: str, inputs: list[str], warmup: int) -> RunDirectory:
        made = make_run(tmp_path / name, {"off": OFF, "on": ON}, pairs=2)
        manifest = made.read_manifest()
        off, on = manifest.config_json["experiments"]
        experiments = [off, {**on, "inputs": inputs, "warmup": warmup}]
        made.write_manifest(replace(manifest, config_json={**manifest.config_json, "experiments": experiments}))
        return made

    photograph = ["/data/photographs/cat_on_a_windowsill_224x224.bin"]
    usual, other = run("usual", photograph, 3), run("other", photograph, 5)
    assert lines_of(usual, other)[-1] == "The runs differ in on: settings."
    assert lines_of(usual, run("short", [], 5))[-1] == (
        "The runs differ in on: settings: inputs ['/data/photographs/cat_on_a_windowsill_224x224.bin'… before, "
        "mode timing, runs 4, traced_runs 10, warmup 5 now."
    )


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
