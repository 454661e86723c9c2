# SPDX-License-Identifier: Apache-2.0
"""Links, anchors and images: what they name is there. Nothing is fetched."""

from __future__ import annotations

import functools
import posixpath
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from model_profiling.errors import nearest
from tools.pages.checks.page import CheckedPage
from tools.pages.reading.document import OTHER, SKILL, Document, Link, Passage
from tools.pages.reading.lexer import read_document
from tools.pages.reading.problems import Position, Problem

#: Addresses outside the repository that somebody has opened. A misspelt one is not among them.
KNOWN_ADDRESSES = Path(__file__).parents[2] / "data" / "known_addresses.txt"
_EMPTY_WORDS = frozenset({"here", "this", "link", "this link", "click here", "this page", "page", "read more", "more"})
_IMAGES = (".png", ".jpg", ".jpeg", ".svg", ".webp", ".gif")


def check(page: CheckedPage) -> Iterator[Problem]:
    """Check every link and image of the page's text."""
    for passage in page.every(Passage):
        for link in passage.links:
            yield from _image(page, link) if link.image else _link(page, link)


@functools.cache
def known_addresses() -> frozenset[str]:
    lines = KNOWN_ADDRESSES.read_text(encoding="utf-8").splitlines()
    return frozenset(line.split()[0] for line in lines if line.strip() and not line.startswith("#"))


def check_address(page: CheckedPage, address: str, place: Position) -> Iterator[Problem]:
    """Check an address outside the page's own site."""
    if urlsplit(address).scheme not in ("http", "https"):
        yield page.problem(place, "link", f"{address} is no web address")
        return
    path = page.repository.path_of_address(address)
    if path:
        if not page.repository.exists(unquote(path)):
            near = [
                f
                for f in page.repository.files | page.repository.folders
                if posixpath.dirname(f) == posixpath.dirname(path)
            ]
            yield page.problem(place, "link", f"{path} is not in the repository{nearest(path, near)}")
        elif "#" in address and path.endswith(".md"):
            yield from _anchor(page, page.repository.root / path, address.partition("#")[2], place)
    elif path is None and address.partition("#")[0] not in known_addresses():
        meant = nearest(address, known_addresses())
        yield page.problem(
            place,
            "link",
            f"{address} is not a known address{meant}: open it, then add it to tools/pages/data/{KNOWN_ADDRESSES.name}",
        )


def _link(page: CheckedPage, link: Link) -> Iterator[Problem]:
    text = link.text.strip()
    if (
        not text
        or text.lower() in _EMPTY_WORDS
        or text.startswith(("http://", "https://"))
        and page.document.kind != OTHER
    ):
        yield page.problem(link.place, "link", f'the link\'s text "{text}" does not say where it leads')
    if "://" in link.target or link.target.startswith("mailto:"):
        yield from check_address(page, link.target, link.place)
    elif link.target.startswith("#"):
        yield from _anchor(page, page.document, link.target[1:], link.place)
    elif link.target.startswith("/"):
        yield from check_internal(page, link.target, link.place)
    elif page.document.kind not in (OTHER, SKILL):
        yield page.problem(link.place, "link", f"{link.target} is relative: write /learning-paths/CATEGORY/PATH/PAGE/")
    else:
        yield from _file(page, link)


def check_internal(page: CheckedPage, target: str, place: Position) -> Iterator[Problem]:
    """Check a link such as ``/learning-paths/category/path/page/``."""
    if page.site is None or not page.site.own(target, page.document.path):
        # A path of somebody else's, on Arm's site.
        yield from check_address(page, f"https://learn.arm.com{target}", place)
        return
    named = page.site.page(target)
    if named is None or not target.partition("#")[0].endswith("/"):
        names = [f"{posixpath.dirname(target.rstrip('/'))}/{name.removesuffix('.md')}/" for name in page.neighbors]
        ending = "" if named is None else ": it has no closing /"
        yield page.problem(place, "link", f"{target} is no page of this path{ending or nearest(target, names)}")
    elif "#" in target:
        yield from _anchor(page, page.neighbors.get(named.name, named), target.partition("#")[2], place)


def _file(page: CheckedPage, link: Link) -> Iterator[Problem]:
    name, _, anchor = unquote(link.target).partition("#")
    path = (page.folder / name).resolve()
    try:
        relative = path.relative_to(page.repository.root.resolve()).as_posix()
        there = page.repository.exists(relative)
    except ValueError:
        there = path.exists()
    if not there:
        near = [p.name for p in path.parent.glob("*")] if path.parent.is_dir() else []
        yield page.problem(link.place, "link", f"{link.target} is not there{nearest(path.name, near)}")
    elif anchor and path.suffix == ".md":
        yield from _anchor(page, path, anchor, link.place)


def _anchor(page: CheckedPage, where: Document | Path, anchor: str, place: Position) -> Iterator[Problem]:
    document = where if isinstance(where, Document) else _document(where)
    if anchor not in document.anchors:
        yield page.problem(
            place, "anchor", f"#{anchor} is no heading of {document.path.name}{nearest(anchor, document.anchors)}"
        )


@functools.cache
def _document(path: Path) -> Document:
    return read_document(path, path.name)


def _image(page: CheckedPage, image: Link) -> Iterator[Problem]:
    on_a_page = page.document.kind not in (OTHER, SKILL)
    if not image.text.removesuffix("#center").strip():
        yield page.problem(
            image.place, "image", "the image has no alternative text: say what it shows and what to notice"
        )
    if on_a_page and not image.text.endswith("#center"):
        yield page.problem(image.place, "image", "the image's alternative text does not end in #center")
    if on_a_page and not image.title:
        yield page.problem(image.place, "image", 'the image has no caption: ![alt#center](images/x.svg "Caption")')
    if "://" in image.target:
        yield from check_address(page, image.target, image.place)
        return
    if not image.target.lower().endswith(_IMAGES):
        yield page.problem(image.place, "image", f"{image.target} is no image")
    file = page.site.image(image.target, page.document.path) if page.site and on_a_page else page.folder / image.target
    if file is None or not _there(page, file):
        folder = (page.site.root if page.site else page.folder) / posixpath.dirname(image.target)
        near = [p.name for p in folder.glob("*")] if folder.is_dir() else []
        yield page.problem(
            image.place, "image", f"{image.target} is not there{nearest(posixpath.basename(image.target), near)}"
        )


def _there(page: CheckedPage, path: Path) -> bool:
    try:
        return page.repository.is_file(path.resolve().relative_to(page.repository.root.resolve()).as_posix())
    except ValueError:
        return path.is_file()
