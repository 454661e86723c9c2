# SPDX-License-Identifier: Apache-2.0
"""Reading the pages of the learning path: front matter, and the images and links of the body."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from markdown_it import MarkdownIt
from markdown_it.token import Token

from model_profiling.errors import UserError
from tools import REPOSITORY

#: Where the pages are below `content/`, here as in Arm's repository.
PATH = Path("learning-paths/embedded-and-microcontrollers/sme-executorch-profiling")
CONTENT = REPOSITORY / "content" / PATH
IMAGES = REPOSITORY / "images"
LANDING, LAST = "_index.md", "_next-steps.md"
_FENCE = "---\n"


@dataclass(frozen=True)
class Image:
    """An image as a page names it: `alt` without `#center`, `caption` from the title."""

    target: str
    alt: str
    caption: str
    centered: bool


@dataclass(frozen=True)
class LearningPathPage:
    """One page: its file, its front matter, and its body with the line it begins on."""

    path: Path
    front_matter: dict[str, Any]
    body: str

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def images(self) -> tuple[Image, ...]:
        return tuple(_image(token) for token in _inline(self.body) if token.type == "image")

    @property
    def links(self) -> tuple[str, ...]:
        return tuple(str(token.attrs["href"]) for token in _inline(self.body) if token.type == "link_open")


def read_page(path: Path) -> LearningPathPage:
    """Read one page.

    Raises
    ------
    UserError : no front matter between two lines of `---`, or it is no YAML mapping.
    """
    text = path.read_text(encoding="utf-8")
    parts = text.split(_FENCE, 2)
    if not text.startswith(_FENCE) or len(parts) != 3:
        raise UserError("the page has no front matter", f"in {path}", "begin it with YAML between two lines of ---")
    try:
        front_matter = yaml.safe_load(parts[1])
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"at {path}:{mark.line + 2}" if mark else f"in {path}"
        raise UserError("the front matter is no YAML", where, "correct it there") from error
    if not isinstance(front_matter, dict):
        raise UserError("the front matter is no mapping", f"in {path}", "write one key: value a line")
    return LearningPathPage(path, front_matter, parts[2])


def read_pages(folder: Path) -> tuple[LearningPathPage, ...]:
    """Read the pages of a learning path in reading order; archived drafts below it are left out.

    Raises
    ------
    UserError : there is no landing page, or one of the pages cannot be read.
    """
    if not (folder / LANDING).is_file():
        raise UserError(f"there is no {LANDING}", f"in {folder}", "name the folder of a learning path")
    pages = [read_page(path) for path in sorted(folder.glob("*.md"))]
    return tuple(sorted((page for page in pages if not page.front_matter.get("draft")), key=_weight))


def _weight(page: LearningPathPage) -> tuple[float, str]:
    weight = page.front_matter.get("weight")
    return (weight if isinstance(weight, (int, float)) else float("inf"), page.name)


def _inline(body: str) -> Iterator[Token]:
    for token in MarkdownIt("commonmark").enable("table").parse(body):
        yield from token.children or ()


def _image(token: Token) -> Image:
    alt = token.content.strip()
    centered = bool(re.search(r"#center$", alt))
    return Image(
        str(token.attrs["src"]), re.sub(r"#center$", "", alt).strip(), str(token.attrs.get("title", "")), centered
    )
