# SPDX-License-Identifier: Apache-2.0
"""The preview site in tests: built by the real command, served on loopback, its links followed on disk."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin, urlsplit
from xml.etree import ElementTree

import html5lib
import pytest

from support.kit import REPOSITORY

PREVIEW = REPOSITORY / "tools" / "preview_site.sh"
BELOW = Path("learning-paths/embedded-and-microcontrollers/sme-executorch-profiling")
XHTML = "{http://www.w3.org/1999/xhtml}"
_LINKS = (("a", "href"), ("img", "src"), ("link", "href"), ("script", "src"))


@dataclass(frozen=True)
class Site:
    """A built site: its folder, and its pages by address."""

    root: Path

    def page(self, name: str = "") -> str:
        """Return the address of a page of the learning path."""
        return f"/{BELOW.as_posix()}/{name + '/' if name else ''}"

    @property
    def pages(self) -> dict[str, ElementTree.Element]:
        """Return every page as parsed, by its address."""
        return {
            "/" + str(path.relative_to(self.root)).removesuffix("index.html"): parsed(path)
            for path in sorted(self.root.rglob("*.html"))
        }


def require_hugo() -> None:
    """Skip a test where Hugo is not installed; in CI that is an error."""
    beside = Path(sys.executable).with_name("hugo")
    if not (beside.exists() or shutil.which("hugo")):
        reason = "no Hugo: model_profiling/scripts/setup_repo.sh --with-tests installs it"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)


def hugo_environment() -> dict[str, str]:
    """Return the environment in which the Hugo of this Python's environment is found."""
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


def build_site(out: Path, pages: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the build as a reader does, of the repository's pages or of those in `pages`."""
    require_hugo()
    env = hugo_environment() | {"SITE_OUT": str(out)} | ({"SITE_PAGES": str(pages)} if pages else {})
    return subprocess.run(
        ["bash", str(PREVIEW), "--build-only"],
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
        stdin=subprocess.DEVNULL,
    )


def parsed(path: Path) -> ElementTree.Element:
    """Return an HTML file as a tree; a file that is not valid HTML fails."""
    parser = html5lib.HTMLParser(tree=html5lib.getTreeBuilder("etree"))
    tree = parser.parse(path.read_text(encoding="utf-8"))
    assert not parser.errors, (path, parser.errors[:3])
    return tree


def dead_links(site: Site) -> list[str]:
    """Return every link of the site that leads nowhere: a missing file, or a missing anchor."""
    pages, dead = site.pages, []
    for address, tree in pages.items():
        for tag, attribute in _LINKS:
            for element in tree.iter(f"{XHTML}{tag}"):
                target = element.get(attribute)
                if not target or urlsplit(target).scheme:
                    continue
                path, anchor = urldefrag(urljoin(f"http://site{address}", target))
                path = unquote(urlsplit(path).path)
                if path not in pages and not (site.root / path.lstrip("/")).is_file():
                    dead.append(f"{address}: {target}")
                elif anchor and anchor not in {e.get("id") for e in pages[path].iter()}:
                    dead.append(f"{address}: {target} (no such anchor)")
    return dead


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def served(root: Path) -> Iterator[str]:
    """Serve a folder on a free loopback port and yield its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(root)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def visited(browser: object, address: str, width: int, scheme: str) -> Iterator[object]:
    """Open a page that may load from its own server only; anything it complains of fails."""
    own = "{0.scheme}://{0.netloc}/".format(urlsplit(address))
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page, trouble = context.new_page(), []
    page.on("request", lambda request: request.url.startswith((own, "data:")) or trouble.append(f"loads {request.url}"))
    page.on("response", lambda response: response.ok or trouble.append(f"{response.status} {response.url}"))
    page.on("console", lambda message: trouble.append(message.text))
    page.on("pageerror", lambda error: trouble.append(str(error)))
    try:
        page.goto(address)
        yield page
        assert not trouble, trouble
    finally:
        context.close()
