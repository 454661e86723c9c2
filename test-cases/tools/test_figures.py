# SPDX-License-Identifier: Apache-2.0
"""The pages' figures: fresh, true to their data, readable in both color schemes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from support.emulation import MOBILENET
from support.kit import REPOSITORY, Finished

from model_profiling.errors import UserError
from model_profiling.pipeline.kernel_names import family_of, role_of
from model_profiling.report.palette import COLORS
from tools import make_figures
from tools.figures.all_figures import FIGURES
from tools.figures.data import load, texts
from tools.figures.drift import simulate
from tools.figures.sample_report import REFERENCE_RUN
from tools.learning_path.pages import CONTENT, IMAGES, read_pages

SVG = "{http://www.w3.org/2000/svg}"
#: What text stands on in the figures, and the roles that text has.
GROUNDS, INKS = ("paper", "track"), ("ink", "muted", "ondot", "thirddot", "fourthdot")


def words_of(name: str) -> list[str]:
    return [element.text for element in ElementTree.parse(IMAGES / f"{name}.svg").iter(f"{SVG}text")]


def numbers_in(text: str) -> set[str]:
    """Return the numbers of a text; digits in names such as SME2, int8 or x86-64 are none."""
    return {number.rstrip(".,") for number in re.findall(r"(?<![\w-])\d[\d.,]*(?![\w-])", text)}


# ---------------------------------------------------------------- fresh


def test_committed_figures_and_reports_are_what_the_data_gives() -> None:
    argv = [sys.executable, str(REPOSITORY / "tools" / "make_figures.py"), "--check"]
    done = Finished(subprocess.run(argv, capture_output=True, text=True, timeout=120)).ok()
    assert f"{len(FIGURES)} figures" in done.stdout


def test_a_changed_a_missing_and_a_foreign_file_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(make_figures, "IMAGES", tmp_path)
    held = {tmp_path / f"{name}.svg": "drawn" for name in ("same", "changed", "missing")}
    for name, text in (("same", "drawn"), ("changed", "drawn otherwise"), ("foreign", "drawn")):
        (tmp_path / f"{name}.svg").write_text(text)
    with pytest.raises(UserError, match=r"changed\.svg.*missing\.svg.*foreign\.svg") as told:
        make_figures.check(held)
    assert "same.svg" not in str(told.value)


def test_a_change_of_the_data_changes_the_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    from tools.figures import published

    changed = load("published_squeezesam")
    changed["latency_ms"][0]["on"] = 305
    monkeypatch.setattr(published, "load", lambda name: changed)
    drawn = published.published_latency(texts()["published-latency"].alt).file_text() + "\n"
    assert drawn != (IMAGES / "published-latency.svg").read_text() and ">305<" in drawn


# ---------------------------------------------------------------- true


def test_the_published_numbers_fit_together() -> None:
    data = load("published_squeezesam")
    for row in data["latency_ms"]:
        if row["cores"] == data["categories_cores"]:
            for side in ("off", "on"):
                total = sum(times[side] for times in data["categories_ms"][row["dtype"]].values())
                assert total == pytest.approx(row[side], abs=1)
    assert [f"{row['off'] / row['on']:.2f}×" for row in data["latency_ms"]] == ["1.83×", "1.08×", "3.90×", "1.94×"]
    assert set(words_of("published-latency")) >= {"1.83×", "1.08×", "3.90×", "1.94×", "556", "304", "1,163", "298"}
    assert "22 % → 41 %" in words_of("published-categories")


@pytest.mark.parametrize("name", ["published-latency", "published-categories"])
def test_published_figures_say_whose_numbers_they_are(name: str) -> None:
    source = load("published_squeezesam")["source"]
    assert any(source["publisher"] in text and source["date"] in text for text in words_of(name))


def test_the_drift_figure_shows_what_it_says() -> None:
    data = load("drift")
    plans = simulate(data)
    assert sorted(turn.ms for turn in plans[0].turns) == sorted(turn.ms for turn in plans[1].turns)  # the same machine
    blocks, paired, lockstep = (plan.estimate() for plan in plans)
    assert blocks.high < 1, "the drift has to look like a difference"
    assert paired.low < 1 < paired.high and lockstep.low < 1 < lockstep.high
    assert lockstep.half_width_percent < paired.half_width_percent / 3


@pytest.mark.parametrize("dtype", ["fp32", "int8", "fp16"])
def test_committed_previews_are_what_the_preview_records_today(dtype: str) -> None:
    """test_preview_sme2.py holds the same expectations against a preview made anew."""
    preview = load(f"preview_mobilenet_v3_small_{dtype}")
    layers, calls, kernel = MOBILENET[dtype]
    made = [name for layer in preview["matrix_layers"] for name in layer["kernels"]["sme2"]]
    reached = [
        layer
        for layer in preview["matrix_layers"]
        if any(family_of(name) == "sme2" and role_of(name) == "compute" for name in layer["kernels"]["sme2"])
    ]
    assert len(reached) == layers == preview["variants"]["sme2"]["coverage"]["sme2"]["layers"]
    assert (
        sum(
            count
            for layer in preview["matrix_layers"]
            for name, count in layer["kernels"]["sme2"].items()
            if name.endswith(kernel)
        )
        == calls
        and made
    )


# ---------------------------------------------------------------- described


@pytest.mark.parametrize("name", FIGURES)
def test_every_number_of_a_description_stands_in_its_figure(name: str) -> None:
    assert numbers_in(texts()[name].alt) <= numbers_in(" ".join(words_of(name)))


def test_pages_describe_figures_in_the_figures_own_words() -> None:
    told, shown = texts(), set()
    for page in read_pages(CONTENT):
        for image in page.images:
            name = Path(image.target).stem
            assert (image.alt, image.caption) == (told[name].alt, told[name].caption), f"{page.name}: {image.target}"
            assert image.centered, f"{page.name}: {image.target}"
            shown.add(name)
    assert shown and set(told) == set(FIGURES)


def test_the_report_figure_shows_the_reference_run() -> None:
    summary = json.loads(REFERENCE_RUN.analysis_summary.read_text())
    compared = summary["comparisons"][0]
    words = " ".join(words_of("report"))
    assert f"{compared['speedup']:.3f}×" in words
    assert f"{compared['ci95'][0]:.3f} to {compared['ci95'][1]:.3f}" in words


# ---------------------------------------------------------------- readable


def luminance(color: str) -> float:
    """Return the relative luminance of a color (WCAG 2.2)."""
    parts = [int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("ground", GROUNDS)
@pytest.mark.parametrize("ink", INKS)
def test_text_has_contrast(ink: str, ground: str, scheme: int) -> None:
    lighter, darker = sorted((luminance(COLORS[role][scheme]) for role in (ink, ground)), reverse=True)
    assert (lighter + 0.05) / (darker + 0.05) >= 4.5


@pytest.mark.parametrize("name", FIGURES)
def test_colors_follow_the_scheme(name: str) -> None:
    """Every shape has a color of the palette, which the figure's own style sheet replaces in the dark."""
    text = (IMAGES / f"{name}.svg").read_text()
    root = ElementTree.fromstring(text)
    assert "prefers-color-scheme: dark" in text
    for element in root.iter():
        for key, prefix in (("fill", "f-"), ("stroke", "s-")):
            if element.get(key, "none") != "none" and not element.get(key, "").startswith("url"):
                assert any(c.startswith(prefix) for c in element.get("class", "").split()), ElementTree.tostring(
                    element
                )
        if element.tag == f"{SVG}text":
            assert element.get("class"), element.text


def test_text_stays_inside_its_figure_and_apart(browser: object) -> None:
    """In a real browser, whose font is as wide as they come (DejaVu Sans on bare Linux)."""
    page = browser.new_page(viewport={"width": 700, "height": 900})
    for name in FIGURES:
        page.goto((IMAGES / f"{name}.svg").resolve().as_uri())
        width, height = page.evaluate(
            "(() => {const b = document.documentElement.viewBox.baseVal; return [b.width, b.height]})()"
        )
        boxes = page.evaluate(
            "[...document.querySelectorAll('text')].map(t => {const b = t.getBBox(); "
            "return [t.textContent, b.x, b.y, b.x + b.width, b.y + b.height]})"
        )
        assert boxes
        for text, left, top, right, bottom in boxes:
            assert 8 <= left and right <= width - 8 and 0 <= top and bottom <= height, (name, text)
        for index, (text, left, top, right, bottom) in enumerate(boxes):
            for other, *box in boxes[index + 1 :]:
                across = min(right, box[2]) - max(left, box[0])
                down = min(bottom, box[3]) - max(top, box[1])
                assert across <= 1 or down <= 4, f"{name}: '{text}' runs into '{other}'"
    page.close()
