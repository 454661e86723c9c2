# SPDX-License-Identifier: Apache-2.0
"""Reports of real runs: every number is the analysis's own, and pages work in a real browser."""

from __future__ import annotations

import json
import math
import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.browser import accessibility_problems
from support.kit import kit
from support.numbers import SVG, XHTML, check_numbers, layer_tables, numbers_of, parse_page, text_of
from support.run import HOSTILE_NAME, bare_run, deep_run, lone_run, rich_run

from model_profiling import rounding
from model_profiling.analysis.comparing.parts import MIN_PART_US
from model_profiling.pipeline.run_directory import RunDirectory
from model_profiling.report.html import MOST_LAYERS

RUNS = ("toy", "deep", "rich", "bare", "lone")


@pytest.fixture(scope="session")
def runs(exported, toy: Path, toy_run: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Run directories with their reports: an ordinary one, one of many layers, and three unusual ones."""
    folder = tmp_path_factory.mktemp("report_runs")
    made = {
        "rich": rich_run(folder / "rich", toy),
        "bare": bare_run(folder / "bare", toy),
        "lone": lone_run(folder / "lone", toy),
        "toy": folder / "toy" / "run",
        "deep": deep_run(folder / "deep", exported("toy_transformer", "fp32")),
    }
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
    return parse_page(run / "report.html")


def words(run: Path) -> dict[str, str]:
    """Return both reports of a run as a reader sees them."""
    return {"HTML": text_of(parsed(run)), "Markdown": (run / "report.md").read_text(encoding="utf-8")}


def printed_numbers(run: Path) -> list[tuple[str, str, int]]:
    return [(number.text, number.path, number.places) for number in numbers_of(parsed(run))]


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


def test_drift_and_outliers_are_told_and_kept(toy_copy: Path) -> None:
    lines = [json.loads(line) for line in (toy_copy / "launches.jsonl").read_text().splitlines()]
    for line in lines:
        factor = (1 + 0.02 * line["index"]) * (9 if line["pair"] == 3 else 1)
        line["latency_ns"] = [round(time * factor) for time in line["latency_ns"]]
    (toy_copy / "launches.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    report_anew(toy_copy)
    metrics = json.loads((toy_copy / "metrics.json").read_text())["experiments"]
    assert all(len(entry["1"]["launches"]) == 6 for entry in metrics.values())
    for text in words(toy_copy).values():
        assert "The machine drifted" in text and "Outlying launches" in text and "pair 4: " in text
    drift = r"1 thread: launches became \d+ % slower over the run\."
    (summary,) = toy_copy.glob("*_pipeline_summary.md")
    told = [re.findall(drift, text) for text in (summary.read_text(), (toy_copy / "report.md").read_text())]
    assert told[0] == told[1] != [], "the summary and the report say the same"


def report_anew(run: Path) -> None:
    kit("scripts/analyze_results.py", "--run-dir", run, "--quiet").ok()
    kit("scripts/generate_report.py", "--run-dir", run).ok()


# Operators, layers, threads


def cells(row: ElementTree.Element) -> list[str]:
    return [text_of(cell).strip() for cell in row]


def rows_of(page: ElementTree.Element, label: str) -> list[ElementTree.Element]:
    """Return the body rows of the tables whose label begins so."""
    return [
        row
        for region in page.iter(f"{XHTML}div")
        if (region.get("aria-label") or "").startswith(label)
        for body in region.iter(f"{XHTML}tbody")
        for row in body.iter(f"{XHTML}tr")
    ]


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


def edit_summary(run: Path, change) -> None:
    """Change the analysis summary as another measurement would have, and report on it."""
    file = run / "analysis_summary.json"
    summary = json.loads(file.read_text())
    change(summary)
    file.write_text(json.dumps(summary))
    kit("scripts/generate_report.py", "--run-dir", run).ok()


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


def test_a_name_that_is_markup_stays_a_name(runs: dict[str, Path], open_page) -> None:
    from markdown_it import MarkdownIt

    page = parsed(runs["bare"])
    assert not list(page.iter(f"{XHTML}img"))
    assert text_of(next(page.iter(f"{XHTML}h1"))) == HOSTILE_NAME
    rendered = MarkdownIt("commonmark", {"html": True}).enable("table").render((runs["bare"] / "report.md").read_text())
    assert "onerror=alert(1)&gt; &amp; `b` _u_ | [l](x): " in rendered
    assert re.findall(r"<img src=\"([^\"]+)\"", rendered) and all(
        source.startswith("figures/") for source in re.findall(r"<img src=\"([^\"]+)\"", rendered)
    )
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
def test_the_page_fits_and_is_accessible(run: Path, width: int, scheme: str, open_page, tmp_path: Path) -> None:
    with open_page(run / "report.html", width, scheme) as page:
        assert page.evaluate("document.documentElement.scrollWidth") == width
        background = page.evaluate("getComputedStyle(document.body).backgroundColor")
        light = sum(map(int, re.findall(r"\d+", background)[:3])) > 3 * 128
        assert light == (scheme == "light")
        page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
        assert page.evaluate("document.documentElement.scrollWidth") == width
        visible = page.evaluate(
            "[...document.querySelectorAll('figure')].map((f) => "
            "[...f.querySelectorAll('svg')].filter((s) => s.getClientRects().length).length)"
        )
        assert visible and set(visible) == {1}
        assert page.screenshot(path=tmp_path / "page.png", full_page=True)
        assert accessibility_problems(page) == []


def test_no_text_of_a_figure_is_cut_off(run: Path, open_page) -> None:
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


def test_tables_sort_by_a_click(runs: dict[str, Path], open_page) -> None:
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


def test_folded_tables_sort_with_the_first(runs: dict[str, Path], open_page) -> None:
    column = (
        '(label) => [...document.querySelectorAll(`[aria-label^="${label}"] tbody tr`)]'
        ".map((r) => r.cells[3].dataset.raw)"
    )
    with open_page(runs["deep"] / "report.html") as page:
        counts = [len(page.evaluate(column, label)) for label in ("Layers,", "Further layers,")]
        assert counts[0] == MOST_LAYERS and counts[1] > 0
        page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
        heading = page.locator("[aria-label^='Further layers,'] th").nth(3)
        for sign in (-1, 1):
            heading.locator("button").click()
            values = [page.evaluate(column, label) for label in ("Layers,", "Further layers,")]
            assert list(map(len, values)) == counts
            numbers = [sign * float(value) for value in sum(values, []) if value]
            assert numbers == sorted(numbers)
            assert page.locator("[aria-label^='Layers,'] th").nth(3).get_attribute(
                "aria-sort"
            ) == heading.get_attribute("aria-sort")


@pytest.mark.parametrize("name", ["toy", "deep"])
def test_no_table_scrolls_sideways_on_a_desktop(runs: dict[str, Path], name: str, open_page) -> None:
    with open_page(runs[name] / "report.html", 1280) as page:
        page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
        assert (
            page.evaluate(
                "[...document.querySelectorAll('.scroll')].filter((e) => e.scrollWidth > e.clientWidth + 1)"
                ".map((e) => e.getAttribute('aria-label'))"
            )
            == []
        )


def test_printing_uses_dark_ink_on_white(runs: dict[str, Path], open_page) -> None:
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


def test_operators_of_the_timeline_name_their_layers(run: Path) -> None:
    known = {row["layer"] for row in layer_tables(run)}
    events = [event for event in json.loads((run / "timeline.json").read_text())["traceEvents"] if event["ph"] == "X"]
    operators = [event for event in events if event["cat"] != "container"]
    assert {event["args"]["layer"] for event in operators} <= known
    assert all(event["args"]["layer"] == "" for event in events if event["cat"] == "container")
    assert bool(operators) == bool(known)


# The command


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
