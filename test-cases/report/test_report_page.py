# SPDX-License-Identifier: Apache-2.0
"""A report's page: one file, safe, accessible, readable in a real browser; and its figures."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from support.browser import check_figures_and_accessibility
from support.kit import kit
from support.numbers import SVG, XHTML, text_of
from support.report import parsed
from support.run import HOSTILE_NAME

from model_profiling.report.html import MOST_LAYERS


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
        check_figures_and_accessibility(page, tmp_path / "page.png")


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


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
