# SPDX-License-Identifier: Apache-2.0
"""A real browser for tests of pages: the system's Chromium, driven through Playwright."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_MACOS = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")
_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run", "--disable-sync"]


def find_chromium() -> str | None:
    """Return the browser's program, from CHROMIUM or the usual names."""
    named = os.environ.get("CHROMIUM")
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    return named or found or (str(_MACOS) if _MACOS.exists() else None)


@pytest.fixture(scope="session")
def browser() -> Iterator[object]:
    """A running browser; without one tests are skipped, except in CI, where that is an error."""
    program = find_chromium()
    if program is None:
        reason = "no Chromium: install it (apt install chromium) or name it in CHROMIUM"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=program, args=_FLAGS)
        yield running
        running.close()


@pytest.fixture(scope="session")
def open_page(browser: object) -> Callable[..., object]:
    """Return a context manager (file, width, scheme) -> page that fails on errors and on requests."""

    @contextmanager
    def opened(file: Path, width: int = 1280, scheme: str = "light") -> Iterator[object]:
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        page, trouble = context.new_page(), []
        address = file.resolve().as_uri()
        page.on("request", lambda request: request.url == address or trouble.append(f"loads {request.url}"))
        page.on("console", lambda message: trouble.append(message.text))
        page.on("pageerror", lambda error: trouble.append(str(error)))
        page.on("dialog", lambda dialog: (trouble.append(f"dialog {dialog.message}"), dialog.dismiss()))
        try:
            page.goto(address)
            yield page
            assert not trouble, trouble
        finally:
            context.close()

    return opened


def accessibility_problems(page: object) -> list[str]:
    """Return what axe finds wrong with a page, one line each."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    return [f"{rule['id']}: {rule['help']}: {node['html'][:120]}" for rule in found for node in rule["nodes"]]


def check_figures_and_accessibility(page: object, picture: Path) -> None:
    """Assert that each figure shows one of its drawings, that the page can be drawn, and that everybody can read it."""
    visible = page.evaluate(
        "[...document.querySelectorAll('figure')].map((f) => "
        "[...f.querySelectorAll('svg')].filter((s) => s.getClientRects().length).length)"
    )
    assert visible and set(visible) == {1}
    assert page.screenshot(path=picture, full_page=True)
    assert accessibility_problems(page) == []
