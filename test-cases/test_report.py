# SPDX-License-Identifier: Apache-2.0
"""Reports of real runs: every number is the analysis's own, and pages work in a real browser."""

from __future__ import annotations

import json
import math
import re
import shutil
import sys
from pathlib import Path
from xml.etree import ElementTree

import html5lib
import pytest
from conftest import kit
from hypothesis import given
from hypothesis import strategies as st
from support_browser import accessibility_problems, browser, open_page  # noqa: F401  (fixtures)
from support_run import HOSTILE_NAME, bare_run, lone_run, rich_run

from model_profiling.pipeline.run_directory import RunDirectory
from model_profiling.report import rounding

XHTML = "{http://www.w3.org/1999/xhtml}"
SVG = "{http://www.w3.org/2000/svg}"
RUNS = ("toy", "rich", "bare", "lone")


@pytest.fixture(scope="session")
def runs(toy: Path, toy_run: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Run directories with their reports: an ordinary one and three unusual ones."""
    folder = tmp_path_factory.mktemp("report_runs")
    made = {"rich": rich_run(folder / "rich", toy), "bare": bare_run(folder / "bare", toy),
            "lone": lone_run(folder / "lone", toy), "toy": folder / "toy" / "run"}
    shutil.copytree(toy_run, made["toy"])
    for run in made.values():
        kit("scripts/generate_report.py", "--run-dir", run).ok()
    return made


@pytest.fixture(params=RUNS)
def run(request: pytest.FixtureRequest, runs: dict[str, Path]) -> Path:
    return runs[request.param]


@pytest.fixture
def toy_copy(runs: dict[str, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(runs["toy"], tmp_path / "run"))


def parsed(run: Path) -> ElementTree.Element:
    """Return a report's HTML; the strict parser refuses what a browser would repair in silence."""
    return html5lib.HTMLParser(strict=True).parse((run / "report.html").read_text(encoding="utf-8"))


def text_of(element: ElementTree.Element) -> str:
    return "".join(element.itertext())


def words(run: Path) -> dict[str, str]:
    """Return both reports of a run as a reader sees them."""
    return {"HTML": text_of(parsed(run)), "Markdown": (run / "report.md").read_text(encoding="utf-8")}


def raw_number(run: Path, path: str) -> float:
    """Return the unrounded number that a printed one says it comes from."""
    path, _, function = path.partition("|")
    values = [_at(run, part) for part in path.split(",")]
    if function == "ratio":
        return values[0] / values[1]
    if function == "share":
        siblings = _at(run, path.rpartition("/")[0])
        return 100 * values[0] / sum(siblings.values())
    return values[0]


def _at(run: Path, path: str) -> object:
    file, _, pointer = path.partition("#")
    value = json.loads((run / file).read_text())
    for key in pointer.split("/")[1:]:
        key = key.replace("~1", "/").replace("~0", "~")
        value = value[int(key)] if isinstance(value, list) else value[key]
    return value


def printed_numbers(run: Path) -> list[tuple[str, str, int]]:
    return [(text_of(e), e.get("data-path"), int(e.get("data-places"))) for e in parsed(run).iter(f"{XHTML}span")
            if e.get("data-path")]


# Numbers


def test_every_number_is_the_analysis_s_own(run: Path) -> None:
    numbers = printed_numbers(run)
    assert len(numbers) >= 10
    for text, path, places in numbers:
        raw = raw_number(run, path)
        if text.startswith("<"):
            assert raw < float(text[1:]), path
        else:
            assert text == rounding.fixed(raw, places), path


def test_no_measured_number_is_printed_without_its_source(run: Path) -> None:
    page = parsed(run)
    loose = []

    def walk(element: ElementTree.Element) -> None:
        skipped = element.get("data-path") or element.get("id") in ("trust", "setup", "reproduce")
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
            assert {f"{here}/latency_ms/{key}" for key in ("median", "p10", "p90", "min", "max")} <= paths
            assert {f"{here}/{key}" for key in ("launches", "executions", "load_ms", "peak_rss_mib")} <= paths
            if entry["categories_ms"] and summary["comparisons"]:
                assert {f"{here}/categories_ms/{name}" for name in entry["categories_ms"]} <= paths
                assert {f"{here}/delegated_ms", f"{here}/portable_ms", f"{here}/tracer_overhead_percent"} <= paths
    for index, entry in enumerate(summary["comparisons"]):
        here = f"analysis_summary.json#/comparisons/{index}"
        assert {f"{here}/speedup", f"{here}/pairs"} <= paths
        assert not entry["ci95"] or {f"{here}/ci95/0", f"{here}/ci95/1", f"{here}/p_value"} <= paths


def test_markdown_prints_the_same_numbers_as_html(run: Path) -> None:
    markdown = (run / "report.md").read_text()
    for text, _, _ in printed_numbers(run):
        assert text.replace("<", "\\<") in markdown
    known = {text for text, _, _ in printed_numbers(run)}
    measured = markdown[:markdown.index("## Before you trust")].splitlines()[3:]
    shown = re.findall(r"\d+\.\d+", "\n".join(measured))
    assert shown and set(shown) <= {number for text in known for number in re.findall(r"\d+\.\d+", text)}


def test_figures_print_the_same_numbers_as_the_tables(run: Path) -> None:
    known = {number for text, _, _ in printed_numbers(run) for number in re.findall(r"\d+\.\d+", text)}
    for file in (run / "figures").glob("*.svg"):
        shown = {n for e in ElementTree.parse(file).iter(f"{SVG}text") for n in re.findall(r"\d+\.\d+", e.text)}
        assert shown <= known, file.name


def test_the_bottleneck_is_named_in_words(runs: dict[str, Path]) -> None:
    entry = json.loads((runs["toy"] / "analysis_summary.json").read_text())["comparisons"][0]
    was, becomes = (entry["bottleneck"][side]["category"] for side in ("baseline", "candidate"))
    words = (f"{was} takes the most time on both sides" if was == becomes
             else f"The bottleneck moves from {was} to {becomes}")
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


@pytest.mark.parametrize(("value", "places", "text"), [
    (1234.56, 1, "1,234.6"), (-0.001, 2, "0.00"), (-1.5, 1, "-1.5"), (0.0, 0, "0"), (2.0, 2, "2.00")])
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
        for fact in (manifest["executorch"]["git_sha"], manifest["model"]["sha256"], f"--seed {manifest['seed']}",
                     "mac_pipeline.py", "export_model.py", "--dtype fp32", manifest["cpu"]["model_name"]):
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


# One file, well formed, safe


def test_html_needs_nothing_else(run: Path) -> None:
    page = parsed(run)
    for element in page.iter():
        assert element.get("src") is None, element.tag
        if element.tag != f"{XHTML}a":
            reference = element.get("href") or element.get("{http://www.w3.org/1999/xlink}href") or "#"
            assert reference.startswith("#"), reference
    style = text_of(next(page.iter(f"{XHTML}style")))
    assert "url(" not in style and "@import" not in style


def test_ids_are_unique_and_links_lead_somewhere(run: Path) -> None:
    page = parsed(run)
    ids = [e.get("id") for e in page.iter() if e.get("id")]
    assert len(ids) == len(set(ids))
    targets = {e.get("href")[1:] for e in page.iter() if (e.get("href") or "").startswith("#")}
    labels = {word for e in page.iter() for word in (e.get("aria-labelledby") or "").split()}
    assert targets | labels <= set(ids)


def test_a_name_that_is_markup_stays_a_name(runs: dict[str, Path], open_page) -> None:  # noqa: F811
    from markdown_it import MarkdownIt

    page = parsed(runs["bare"])
    assert not list(page.iter(f"{XHTML}img"))
    assert text_of(next(page.iter(f"{XHTML}h1"))) == HOSTILE_NAME
    rendered = MarkdownIt("commonmark", {"html": True}).enable("table").render((runs["bare"] / "report.md").read_text())
    assert "onerror=alert(1)&gt; &amp; `b` _u_ | [l](x): " in rendered
    assert re.findall(r"<img src=\"([^\"]+)\"", rendered) and all(
        source.startswith("figures/") for source in re.findall(r"<img src=\"([^\"]+)\"", rendered))
    with open_page(runs["bare"] / "report.html") as shown:  # fails on a dialog
        assert shown.title().startswith(HOSTILE_NAME)


def test_markdown_links_to_figures_that_exist(run: Path) -> None:
    linked = re.findall(r"\]\((figures/[^)]+)\)", (run / "report.md").read_text())
    assert linked and all((run / name).is_file() for name in linked)
    assert {Path(name).name for name in linked} == {file.name for file in (run / "figures").iterdir()}


# Figures


def test_figures_are_the_same_on_every_run(run: Path, tmp_path: Path) -> None:
    kit("scripts/generate_report.py", "--run-dir", run, "--out", tmp_path / "again.md").ok()
    figures = sorted((run / "figures").glob("*.svg"))
    assert figures
    for file in figures:
        assert file.read_bytes() == (tmp_path / "again_figures" / file.name).read_bytes()


def test_figures_describe_themselves_and_follow_the_color_scheme(run: Path) -> None:
    for file in (run / "figures").glob("*.svg"):
        root = ElementTree.parse(file).getroot()
        assert root.get("role") == "img" and len(root.findtext(f"{SVG}title")) > 20
        assert "prefers-color-scheme: dark" in root.findtext(f"{SVG}style")
        assert not list(root.iter(f"{SVG}metadata"))


# In a browser


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_fits_and_is_accessible(run: Path, width: int, scheme: str, open_page, tmp_path: Path) -> None:  # noqa: F811
    with open_page(run / "report.html", width, scheme) as page:
        assert page.evaluate("document.documentElement.scrollWidth") == width
        background = page.evaluate("getComputedStyle(document.body).backgroundColor")
        light = sum(map(int, re.findall(r"\d+", background)[:3])) > 3 * 128
        assert light == (scheme == "light")
        page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
        assert page.evaluate("document.documentElement.scrollWidth") == width
        visible = page.evaluate("[...document.querySelectorAll('figure')].map((f) => "
                                "[...f.querySelectorAll('svg')].filter((s) => s.getClientRects().length).length)")
        assert visible and set(visible) == {1}
        assert page.screenshot(path=tmp_path / "page.png", full_page=True)
        assert accessibility_problems(page) == []


def test_no_text_of_a_figure_is_cut_off(run: Path, open_page) -> None:  # noqa: F811
    for width in (390, 1280):
        with open_page(run / "report.html", width) as page:
            cut = page.evaluate("""[...document.querySelectorAll('figure svg')].flatMap((svg) => {
                const box = svg.getBoundingClientRect();
                return [...svg.querySelectorAll('text')].filter((text) => {
                  const at = text.getBoundingClientRect();
                  return at.width && (at.left < box.left - 1 || at.right > box.right + 1 || at.bottom > box.bottom + 2);
                }).map((text) => text.textContent);
              })""")
            assert cut == []


def test_tables_sort_by_a_click(runs: dict[str, Path], open_page) -> None:  # noqa: F811
    column = "[...document.querySelectorAll('[aria-label^=Operators] tbody tr')].map((row) => row.cells[4].dataset.raw)"
    with open_page(runs["toy"] / "report.html") as page:
        heading = page.locator("[aria-label^=Operators] th").nth(4)
        for direction, sign in (("descending", -1), ("ascending", 1)):
            heading.locator("button").click()
            assert heading.get_attribute("aria-sort") == direction
            values = [sign * float(value) for value in page.evaluate(column) if value]
            assert values == sorted(values) and len(values) > 3
        page.locator("[aria-label^=Operators] th").nth(0).locator("button").click()
        assert heading.get_attribute("aria-sort") is None


def test_printing_uses_dark_ink_on_white(runs: dict[str, Path], open_page) -> None:  # noqa: F811
    with open_page(runs["toy"] / "report.html", scheme="dark") as page:
        page.emulate_media(media="print", color_scheme="dark")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert page.evaluate("getComputedStyle(document.querySelector('nav')).display") == "none"
        assert page.pdf(format="A4").startswith(b"%PDF")


# The timeline


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
        operators = [stack for stack, event in zip(seen, (e for e in events if e["pid"] == process))
                     if event["args"]["delegated"]]
        assert operators and all(stack[:2] == ["Method::execute", "DELEGATE_CALL"] for stack in operators)


def test_the_timeline_keeps_what_was_recorded(runs: dict[str, Path]) -> None:
    import csv

    trace = json.loads((runs["toy"] / "timeline.json").read_text())
    rows = [row for file in runs["toy"].glob("*/*_run0_timeline.csv") for row in csv.DictReader(open(file))]
    events = [event for event in trace["traceEvents"] if event["ph"] == "X"]
    assert sorted((e["name"], e["args"]["recorded_duration_us"]) for e in events) == sorted(
        (row["name"], float(row["duration_us"])) for row in rows)


# The command


def test_one_file_instead_of_all(runs: dict[str, Path], tmp_path: Path) -> None:
    kit("scripts/generate_report.py", "--run-dir", runs["toy"], "--out", tmp_path / "x.html", "--title", "Mine & <yours>").ok()
    assert [file.name for file in tmp_path.iterdir()] == ["x.html"]
    page = html5lib.HTMLParser(strict=True).parse((tmp_path / "x.html").read_text())
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


@pytest.mark.parametrize("damage", [
    lambda run: (run / "manifest.json").unlink(),
    lambda run: (run / "manifest.json").write_text("{}"),
    lambda run: (run / "analysis_summary.json").write_text("[1]"),
    lambda run: (run / "analysis_summary.json").write_text("{"),
    lambda run: (run / "metrics.json").unlink(),
    lambda run: (run / "analysis_summary.json").write_text(
        (run / "analysis_summary.json").read_text().replace("toy_cnn_xnnpack_fp32", "another")),
    lambda run: (run / "launches.jsonl").write_text("nonsense\n"),
    lambda run: [file.write_text("a,b\n1,2\n") for file in run.glob("*/*_run0_timeline.csv")],
])
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
