# SPDX-License-Identifier: Apache-2.0
"""Several runs in one report: numbers lead to each run, CPUs are not mixed up, pages work in a browser."""

from __future__ import annotations

import json
import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from support.analysis import MODEL, make_run
from support.browser import check_figures_and_accessibility
from support.kit import kit
from support.numbers import SVG, XHTML, check_numbers, numbers_of, parse_page, text_of
from support.run import HOSTILE_NAME, bare_run
from support.traces import OFF, ON

from model_profiling.pipeline.cpu.features import CpuFeatures
from model_profiling.pipeline.manifest import SwitchedFeature
from model_profiling.pipeline.measured_programs import ModelFile
from model_profiling.pipeline.run_directory import RunDirectory
from model_profiling.report.combined import build_combined, read_runs
from model_profiling.report.run_files import analyze_run


def combine(out: Path, *runs: Path):
    return kit("scripts/generate_combined_report.py", "--run-dirs", *runs, "--out", out)


@pytest.fixture(scope="module")
def runs(toy: Path, toy_run: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A run, the same run elsewhere, one from another CPU, and one with a hostile name and nothing but latencies."""
    folder = tmp_path_factory.mktemp("combined")
    made = {
        "here": toy_run,
        "again": folder / "again, later",
        "phone": folder / "phone",
        "bare": bare_run(folder / "bare", toy),
    }
    for name in ("again", "phone"):
        shutil.copytree(toy_run, made[name])
    directory = RunDirectory(made["phone"])
    directory.write_manifest(
        replace(
            directory.read_manifest(),
            device="phone",
            feature=SwitchedFeature("SME2", ("sme2",), None, "SME2"),
            cpu=CpuFeatures("aarch64", "Cortex-X925", frozenset(("sme2",)), 8),
        )
    )
    kit("scripts/analyze_results.py", "--run-dir", made["bare"], "--quiet").ok()
    return made


@pytest.fixture(scope="module")
def report(runs: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A combined report of all of them, beside its Markdown."""
    out = tmp_path_factory.mktemp("combined_report") / "all.html"
    for target in (out, out.with_suffix(".md")):
        combine(target, *runs.values()).ok()
    return out


def test_every_number_is_the_runs_own(report: Path) -> None:
    numbers = numbers_of(parse_page(report))
    assert len(numbers) > 60 and any("unpaired" in number.path for number in numbers)
    check_numbers(Path("/"), numbers)
    markdown = report.with_suffix(".md").read_text()
    assert all(number.text.replace("<", "\\<") in markdown for number in numbers)


def test_no_number_stands_without_its_source(report: Path) -> None:
    loose = []

    def walk(element: ElementTree.Element) -> None:
        if (
            element.get("data-path")
            or element.get("translate") == "no"
            or element.tag in (f"{XHTML}head", f"{XHTML}header", f"{XHTML}script", f"{SVG}svg")
        ):
            return
        loose.append(element.text or "")
        for child in element:
            walk(child)
            loose.append(child.tail or "")

    walk(parse_page(report))
    assert not re.findall(r"\d+\.\d+", " ".join(loose))


def test_what_differs_is_said(report: Path) -> None:
    for text in (text_of(parse_page(report)), report.with_suffix(".md").read_text()):
        for fact in (
            "Cortex-X925",
            "(phone)",
            "different CPUs",
            "did not switch the same CPU feature",
            "SME2 off",
            "What differs between the runs",
            "fp32",
        ):
            assert fact in text, fact


def test_no_ratio_crosses_cpus(report: Path, runs: dict[str, Path]) -> None:
    ratios = [number.path for number in numbers_of(parse_page(report)) if "unpaired" in number.path]
    assert ratios and not any(str(runs["phone"]) in path for path in ratios)
    assert text_of(parse_page(report)).count("another CPU") == 2


def test_runs_of_one_cpu_are_compared_unpaired(runs: dict[str, Path], tmp_path: Path) -> None:
    combine(tmp_path / "two.html", runs["here"], runs["again"]).ok()
    text = text_of(parse_page(tmp_path / "two.html"))
    assert "ratios between them are unpaired" in text and "different CPUs" not in text
    assert "Nothing but when they were made." in text
    assert text.count("the reference") == 2


def test_another_file_of_the_model_and_what_the_first_run_lacks_are_said(tmp_path: Path) -> None:
    """In the second run the sides' times changed places; one pair each gives ratios without an interval."""
    first = make_run(tmp_path / "first", {"off": OFF, "on": ON}, pairs=1)
    second = make_run(
        tmp_path / "second", {"on": ON, "off": OFF}, pairs=1, threads=(1, 4), model=ModelFile(MODEL, "m.pte", "1", 1)
    )
    for run in (first, second):
        analyze_run(run)
    view = build_combined(read_runs([first.root, second.root]))
    assert view.caution[1:] == ("The runs measured different models; a ratio between them compares whole models.",)
    assert ("model file (SHA-256)", ("0", "1")) in [(found.what, found.values) for found in view.differences]
    rows = {
        (row.label.rpartition(" ")[2], row.experiment.experiment, row.experiment.threads): (
            row.ratio and row.ratio.text,
            row.low,
            row.reason,
        )
        for row in view.experiments
    }
    assert rows == {
        ("(first)", "off", 1): (None, None, "the reference"),
        ("(first)", "on", 1): (None, None, "the reference"),
        ("(second)", "off", 1): ("0.50", None, ""),
        ("(second)", "on", 1): ("2.0", None, ""),
        ("(second)", "off", 4): (None, None, "not in the first run"),
        ("(second)", "on", 4): (None, None, "not in the first run"),
    }


def test_the_same_figures_every_time(report: Path, runs: dict[str, Path], tmp_path: Path) -> None:
    combine(tmp_path / "all.md", *runs.values()).ok()
    drawn = sorted(report.with_name("all_figures").glob("*.svg"))
    assert len(drawn) == 2
    for file in drawn:
        assert file.read_bytes() == (tmp_path / "all_figures" / file.name).read_bytes()
    assert {f"all_figures/{file.name}" for file in drawn} == set(
        re.findall(r"\]\(([^)]+\.svg)\)", report.with_suffix(".md").read_text())
    )


def test_a_name_that_is_markup_stays_a_name(report: Path) -> None:
    page = parse_page(report)
    assert HOSTILE_NAME in text_of(page) and not list(page.iter(f"{XHTML}img"))


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (390, "light"), (1280, "light"), (1280, "dark")])
def test_the_page_fits_and_is_accessible(report: Path, width: int, scheme: str, open_page, tmp_path: Path) -> None:
    with open_page(report, width, scheme) as page:
        assert page.evaluate("document.documentElement.scrollWidth") == width
        check_figures_and_accessibility(page, tmp_path / "page.png")


# Bad input


def old_schema(run: Path) -> None:
    file = run / "analysis_summary.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "schema_version": 99}))


def emulated(run: Path) -> None:
    directory = RunDirectory(run)
    directory.write_manifest(replace(directory.read_manifest(), emulated=True))


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (emulated, "the CPU of this run was emulated: its times compare nothing"),
        (lambda run: (run / "analysis_summary.json").unlink(), "analyze_results.py"),
        (old_schema, "another version"),
        (lambda run: (run / "manifest.json").unlink(), "manifest.json"),
        (shutil.rmtree, "no run directory"),
    ],
)
def test_a_folder_that_cannot_be_used_is_named_and_nothing_is_written(
    runs: dict[str, Path], tmp_path: Path, damage, words: str
) -> None:
    bad = Path(shutil.copytree(runs["here"], tmp_path / "bad"))
    damage(bad)
    line = combine(tmp_path / "out.html", runs["here"], bad).error_line()
    assert words in line and str(bad) in line
    assert not (tmp_path / "out.html").exists()


def test_one_run_twice_or_alone_is_refused(runs: dict[str, Path], tmp_path: Path) -> None:
    assert "generate_report.py" in combine(tmp_path / "x.html", runs["here"]).error_line()
    assert "twice" in combine(tmp_path / "x.html", runs["here"], runs["here"] / ".").error_line()
    assert ".html or .md" in combine(tmp_path / "x.pdf", runs["here"], runs["again"]).error_line()
    assert list(tmp_path.iterdir()) == []


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
