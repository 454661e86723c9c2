# SPDX-License-Identifier: Apache-2.0
"""The preview site builds strictly, its links lead somewhere, and it works in a real browser."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.browser import accessibility_problems
from support.kit import FIXTURES
from support.site import (
    BELOW,
    PREVIEW,
    REPOSITORY,
    XHTML,
    Site,
    build_site,
    dead_links,
    hugo_environment,
    require_hugo,
    served,
    visited,
)

WIDTHS, SCHEMES = (1280, 390), ("light", "dark")
SAMPLE = FIXTURES / "site"


@pytest.fixture(scope="session")
def sites(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Site]:
    """The site of the learning path, and the one that has every part of the format."""
    made = {}
    for name, pages in (("real", None), ("sample", SAMPLE)):
        out = tmp_path_factory.mktemp(name)
        done = build_site(out, pages)
        assert done.returncode == 0, done.stderr
        made[name] = Site(out)
    return made


@pytest.fixture(scope="session")
def visit(sites: dict[str, Site], browser: object) -> Iterator[Callable[..., object]]:
    """Return a context manager (site, page, width, scheme) -> the open page."""
    with served(sites["real"].root) as real, served(sites["sample"].root) as sample:
        bases = {"real": real, "sample": sample}
        yield lambda site, page="", width=1280, scheme="light": visited(
            browser, bases[site] + sites[site].page(page), width, scheme
        )


# ---------------------------------------------------------------- what is built


@pytest.mark.parametrize("name", ["real", "sample"])
def test_every_link_and_anchor_leads_somewhere(sites: dict[str, Site], name: str) -> None:
    assert dead_links(sites[name]) == []


def test_a_dead_link_in_the_built_site_is_found(sites: dict[str, Site], tmp_path: Path) -> None:
    copy = Site(Path(shutil.copytree(sites["sample"].root, tmp_path / "site")))
    next(copy.root.rglob("squares.svg")).unlink()
    page = copy.root / BELOW / "02-second" / "index.html"
    page.write_text(page.read_text().replace('id="a-heading"', 'id="renamed"'))
    found = dead_links(copy)
    assert any("squares.svg" in link for link in found) and any("no such anchor" in link for link in found), found


def test_pages_stand_in_reading_order_and_drafts_are_left_out(sites: dict[str, Site]) -> None:
    addresses = [a for a in sites["sample"].pages if a.startswith(f"/{BELOW.as_posix()}/")]
    assert sorted(a.rstrip("/").rpartition("/")[2] for a in addresses) == [
        "01-parts",
        "02-second",
        "_next-steps",
        BELOW.name,
    ]
    listed = [
        link.text
        for element in sites["sample"].pages[sites["sample"].page()].iter(f"{XHTML}ol")
        if element.get("class") == "pages"
        for link in element.iter(f"{XHTML}a")
    ]
    assert listed == ["Introduction", "Show every part", "Be linked to", "Next Steps"]


def test_links_to_other_learning_paths_lead_to_the_published_site(sites: dict[str, Site]) -> None:
    page = sites["sample"].pages[sites["sample"].page("01-parts")]
    targets = [element.get("href") for element in page.iter(f"{XHTML}a")]
    assert "https://learn.arm.com/learning-paths/cross-platform/multiplying-matrices-with-sme2/" in targets


def test_the_preview_serves_on_loopback_and_ends_cleanly() -> None:
    require_hugo()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        ["bash", str(PREVIEW), "--port", str(port)],
        env=hugo_environment(),
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert "SME2" in _fetched(f"http://127.0.0.1:{port}/{BELOW.as_posix()}/01-overview/")
    finally:
        os.killpg(server.pid, signal.SIGINT)
        server.wait(timeout=30)
    assert sorted(path.name for path in (REPOSITORY / "tools" / "site").iterdir()) == ["assets", "hugo.toml", "layouts"]


def _fetched(address: str) -> str:
    deadline = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(address, timeout=10) as answer:
                return answer.read().decode()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--prot", "1"], "--prot is not a flag"),
        (["--port"], "--port takes a number"),
        (["--port", "x"], "--port takes a number"),
    ],
)
def test_a_wrong_flag_is_one_line(flags: list[str], told: str) -> None:
    done = subprocess.run(["bash", str(PREVIEW), *flags], capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and told in done.stderr


# ---------------------------------------------------------------- what must not build

FAULTS = {
    "missing image": ("images/squares.svg", "images/sqaures.svg", "there is no image"),
    "image without alternative text": ("![The same, not centered]", "![]", "no alternative text"),
    "dead internal link": ("02-second/#a-heading", "03-third/", "no page"),
    "relative link": ("(#code)", "(02-second)", "is not absolute"),
    "a heading of level 1": ("## Tabs", "# Tabs", "begin with an H2"),
    "unknown notice": ("notice Tip", "notice Hint", "no notice is called"),
    "unknown shortcode": ("notice Tip", "hint Tip", "hint"),
    "fence without a language": ("```python", "```", "language"),
    "misspelt language": ("```python", "```pyhton", "language"),
    "tab without a header": ('tab header="macOS" ', "tab ", "no header"),
    "missing layout": ("layout: learningpathall", "layout2: learningpathall", "layout"),
    "broken front matter": ("title: Show", "title: 'Show", "01-parts.md:2:"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_page_does_not_build(fault: str, tmp_path: Path) -> None:
    old, new, told = FAULTS[fault]
    pages = Path(shutil.copytree(SAMPLE, tmp_path / "pages"))
    page = pages / "01-parts.md"
    text = page.read_text()
    assert old in text
    page.write_text(text.replace(old, new, 1))
    done = build_site(tmp_path / "out", pages)
    assert done.returncode == 2 and told in done.stderr, done.stderr
    assert done.stderr.splitlines()[-1].startswith("error: the site does not build")


def test_an_archived_page_that_is_no_draft_does_not_build(tmp_path: Path) -> None:
    pages = Path(shutil.copytree(SAMPLE, tmp_path / "pages"))
    page = pages / "archive" / "old.md"
    page.write_text(page.read_text().replace("draft: true\n", ""))
    assert "archived page" in build_site(tmp_path / "out", pages).stderr


# ---------------------------------------------------------------- in the browser


@pytest.mark.parametrize("width", WIDTHS)
def test_every_page_is_accessible_and_fits(sites: dict[str, Site], visit: Callable, width: int, tmp_path: Path) -> None:
    """In both schemes; screenshots go where SITE_SCREENSHOTS says, for people to look at."""
    shots = Path(os.environ.get("SITE_SCREENSHOTS", tmp_path))
    for site, pages in (("real", _names(sites["real"])), ("sample", ["01-parts"])):
        for name in pages:
            for scheme in SCHEMES:
                with visit(site, name, width, scheme) as page:
                    assert accessibility_problems(page) == [], (site, name, scheme)
                    assert page.evaluate("document.documentElement.scrollWidth") <= width, (site, name)
                    loaded = page.evaluate(
                        "[...document.images].map(i => [i.src, i.complete && i.naturalWidth > 0, "
                        "i.getBoundingClientRect().right <= innerWidth])"
                    )
                    assert all(there and fits for _, there, fits in loaded), loaded
                    shot = page.screenshot(
                        full_page=True, path=shots / f"{site}-{name or 'index'}-{width}-{scheme}.png"
                    )
                    assert len(shot) > 20_000  # a blank page is a few kilobytes


def _names(site: Site) -> list[str]:
    below = f"/{BELOW.as_posix()}/"
    return sorted(address[len(below) :].strip("/") for address in site.pages if address.startswith(below))


def test_tabs_copy_and_scheme_work(visit: Callable) -> None:
    with visit("sample", "01-parts") as page:
        first, second = page.get_by_role("tab", name="Ubuntu"), page.get_by_role("tab", name="macOS")
        assert page.get_by_text("sudo apt install git").is_visible()
        first.focus()
        page.keyboard.press("ArrowRight")
        assert second.get_attribute("aria-selected") == "true"
        assert page.get_by_text("xcode-select --install").is_visible()
        assert not page.get_by_text("sudo apt install git").is_visible()
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page.locator("button.copy").first.click()
        page.get_by_role("button", name="Copied").wait_for()
        copied = page.evaluate("navigator.clipboard.readText()")
        assert copied == 'for model in a b; do echo "$model"  # prints each\ndone\n'
        ground = "getComputedStyle(document.body).backgroundColor"
        light = page.evaluate(ground)
        page.get_by_role("button", name="Dark").click()
        assert page.evaluate(ground) != light
        page.reload()
        assert page.evaluate(ground) != light and page.get_by_role("button", name="Light").is_visible()


def test_pages_are_whole_without_scripts(sites: dict[str, Site], browser: object) -> None:
    with served(sites["sample"].root) as base:
        context = browser.new_context(java_script_enabled=False)
        page = context.new_page()
        page.goto(base + sites["sample"].page("01-parts"))
        assert page.get_by_text("sudo apt install git").is_visible()
        assert page.get_by_text("xcode-select --install").is_visible()
        assert not page.locator("button:visible").count()
        context.close()
