# SPDX-License-Identifier: Apache-2.0
"""What a page is made of: front matter, headings, passages of text, code blocks, in their order."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from tools.pages.reading.problems import Position

#: Kinds of documents; what is asked of a document depends on its kind.
LANDING, CONTENT, NEXT_STEPS, SKILL, OTHER = "landing page", "content page", "next steps", "skill", "document"
#: Languages of fences that hold what a reader types into a shell.
SHELL_LANGUAGES = frozenset({"bash", "console", "sh", "shell"})


@dataclass(frozen=True)
class Options:
    """What the comments before an element say about it (see `directives`)."""

    skip: str | None = None
    no_run: str | None = None
    save_as: str | None = None
    exits: int = 0
    place: Position | None = None


@dataclass(frozen=True)
class Heading:
    level: int
    text: str
    anchor: str
    place: Position
    options: Options = Options()


@dataclass(frozen=True)
class Link:
    """A link or, where `image` is true, an image; `text` is its visible or alternative text."""

    target: str
    text: str
    title: str
    place: Position
    image: bool = False


@dataclass(frozen=True)
class Span:
    """A piece of code inside a sentence."""

    text: str
    place: Position


@dataclass(frozen=True)
class Passage:
    """A paragraph, list item or table cell; `text` has its words, code spans included."""

    text: str
    place: Position
    container: str = "paragraph"
    links: tuple[Link, ...] = ()
    spans: tuple[Span, ...] = ()
    prose: str = ""
    options: Options = Options()

    @property
    def words(self) -> int:
        return len(self.text.split())


@dataclass(frozen=True)
class Block:
    """A code fence or a tab of code. `place` is where its text begins, `fence` its opening line."""

    language: str
    text: str
    place: Position
    fence: Position
    closed: bool = True
    tab: str | None = None
    values: Mapping[str, str] = field(default_factory=dict)
    options: Options = Options()

    @property
    def is_shell(self) -> bool:
        return self.language in SHELL_LANGUAGES


Element = Heading | Passage | Block
ElementKind = TypeVar("ElementKind", Heading, Passage, Block)


@dataclass(frozen=True)
class PageSettings:
    """What a page's comments say about the whole page."""

    start_in: str | None = None
    after: tuple[str, ...] = ()


@dataclass(frozen=True)
class FrontMatter:
    """The YAML at a page's head: its values, and where each top-level key stands."""

    values: Mapping[str, object] | None
    places: Mapping[str, Position]
    error: tuple[Position, str] | None = None


@dataclass(frozen=True)
class Document:
    """One file, read. `name` is how messages call it; `faults` are what the lexer could not take.

    `metrics` and `fixes` are the commands in a skill's tables, as blocks: one a metric, any number
    a row of the failure table (see `skill_form`).
    """

    path: Path
    name: str
    kind: str
    text: str
    front_matter: FrontMatter | None
    elements: tuple[Element, ...]
    settings: PageSettings = PageSettings()
    faults: tuple[tuple[Position, str, str], ...] = ()
    metrics: tuple[Block, ...] = ()
    fixes: tuple[tuple[Block, ...], ...] = ()

    @property
    def typed(self) -> tuple[Block, ...]:
        """Return the blocks, and after them what a skill types to read its metrics."""
        return (*self.every(Block), *self.metrics)

    def every(self, kind: type[ElementKind]) -> Iterator[ElementKind]:
        """Yield the elements of one type, in order."""
        return (element for element in self.elements if isinstance(element, kind))

    @property
    def anchors(self) -> frozenset[str]:
        return frozenset(heading.anchor for heading in self.every(Heading))

    def before(self, element: Element) -> Element | None:
        """Return the element in front of `element`, or None at the page's beginning."""
        index = next(i for i, e in enumerate(self.elements) if e is element)
        return self.elements[index - 1] if index else None


def kind_of(path: Path) -> str:
    """Return a document's kind by where it lies, so that a page that lost its head stays a page."""
    if "learning-paths" in path.parts:
        return {"_index.md": LANDING, "_next-steps.md": NEXT_STEPS}.get(path.name, CONTENT)
    if path.parent.name.startswith("agent_skill") and re.match(r"\d\d_", path.name):
        return SKILL
    return OTHER


def slug(text: str) -> str:
    """Return the anchor that GitHub and Hugo give a heading."""
    return re.sub(r"[^\w\- ]", "", text.strip().lower()).replace(" ", "-")
