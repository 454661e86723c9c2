# SPDX-License-Identifier: Apache-2.0
"""The page of a sweep as somebody uses it: in both themes and on a phone, with few cells and with thousands."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from support.browser import accessibility_problems
from support.sweep import pretended_sweep

from model_profiling.report.sweep_files import sweep_page

SHOWN = "[...document.querySelectorAll('details.cells tbody tr')].filter((row) => row.checkVisibility()).length"


def write_page(folder: Path, models: int, devices: int) -> Path:
    file = folder / "sweep.html"
    file.write_text(sweep_page(pretended_sweep(models, devices, seed=3)))
    return file


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_everybody_can_read_it(open_page, tmp_path: Path, width: int, scheme: str) -> None:
    with open_page(write_page(tmp_path, 1, 2), width, scheme) as page:
        assert accessibility_problems(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "tables scroll, the page does not"
        assert page.evaluate(SHOWN) == 50


def test_thousands_of_cells_are_folded_and_found(open_page, tmp_path: Path) -> None:
    with open_page(write_page(tmp_path, 8, 25)) as page:
        assert page.evaluate(SHOWN) == 0
        page.locator(".filter input").fill("model_3 INT8 t2")
        assert page.evaluate(SHOWN) == 25 and page.locator(".filter output").inner_text() == "25 of 5000"
        page.locator(".filter input").fill("")
        assert page.evaluate(SHOWN) == 0
        page.locator("#matrix td a[href^='#c']").first.click()
        assert page.evaluate("document.querySelector(location.hash).checkVisibility()"), "unfolded"
        column = page.locator("details[open] th button", has_text="Speed-up")
        column.click()
        ratios = page.evaluate(
            "[...document.querySelectorAll('details[open] tbody tr')].map((row) => row.cells[3].dataset.raw)"
        )
        known = [float(ratio) for ratio in ratios if ratio]
        assert known == sorted(known, reverse=True) and len(known) > 150


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
