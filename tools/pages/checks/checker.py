# SPDX-License-Identifier: Apache-2.0
"""Check pages: read, follow, and ask every rule, whatever number of pages there is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from model_profiling.errors import UserError
from tools.pages.checks import shellcheck
from tools.pages.checks.page import CheckedPage
from tools.pages.checks.rules import RULES
from tools.pages.reader.following import Walk, follow
from tools.pages.reader.scripts import Scripts
from tools.pages.reading.document import OTHER, SKILL, Document
from tools.pages.reading.lexer import read_document
from tools.pages.reading.problems import Position, Problem
from tools.pages.reading.repository import Repository, Site

#: Recorded data and what is kept out of the navigation are no pages.
_NOT_PAGES = ("test-cases/fixtures/", "archive/")
_COMMAND_LINE = "on the command line"


@dataclass(frozen=True)
class OptOut:
    """A comment that keeps something from being checked or run, with its reason."""

    path: str
    place: Position
    what: str
    reason: str


@dataclass
class Checker:
    """Checks documents of one repository. Parsers, files and followed pages are kept between calls."""

    repository: Repository
    scripts: Scripts
    _walks: dict[Path, Walk] = field(default_factory=dict)
    _documents: dict[Path, Document] = field(default_factory=dict)

    @classmethod
    def of(cls, root: Path) -> Checker:
        repository = Repository(root)
        return cls(repository, Scripts(repository))

    def default_pages(self) -> list[Path]:
        """Return every Markdown document of the repository: pages, skills, READMEs."""
        return [
            self.repository.root / name
            for name in sorted(self.repository.files)
            if name.endswith(".md") and not any(mark in name for mark in _NOT_PAGES)
        ]

    def named(self, paths: Sequence[Path], default: Sequence[Path]) -> list[Document]:
        """Return the documents that `paths` name, folders standing for the Markdown files in them.

        Raises
        ------
        UserError : a path does not exist, or a folder has no Markdown file.
        """
        if not paths:
            return [self.read(path) for path in default]
        files: list[Path] = []
        for path in paths:
            if not path.exists():
                raise UserError(f"{path} does not exist", _COMMAND_LINE, "name a Markdown file or a folder of them")
            inside = sorted(path.rglob("*.md")) if path.is_dir() else [path]
            if not inside:
                raise UserError(f"{path} holds no Markdown file", _COMMAND_LINE, "name a folder of pages")
            files += inside
        return [self.read(path) for path in dict.fromkeys(path.resolve() for path in files)]

    def read(self, path: Path) -> Document:
        """Read a page, once.

        Raises
        ------
        UserError : the file cannot be read as text.
        """
        if path in self._documents:  # the usual case, and asking the file system takes longer than all else here
            return self._documents[path]
        path = path.resolve()
        if path not in self._documents:
            try:
                self._documents[path] = read_document(path, self._name(path))
            except (OSError, UnicodeDecodeError) as error:
                reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
                raise UserError(f"the page cannot be read ({reason})", f"at {path}", "name a Markdown file") from error
        return self._documents[path]

    def follow(self, document: Document) -> Walk:
        """Follow a page, after the pages that it says it comes after."""
        if self._documents.get(document.path) is document and document.path in self._walks:
            return self._walks[document.path]
        files = None
        for name in document.settings.after:
            before = (document.path.parent / name).resolve()
            if before.is_file() and before != document.path:
                files = self.follow(self.read(before)).reader.files
        walk = follow(document, self.repository, self.scripts, files)
        if self._documents.get(document.path) is document:
            self._walks[document.path] = walk
        return walk

    def page(self, document: Document) -> CheckedPage:
        """Return a page with what its rules need."""
        site = Site.around(document.path) if document.kind != OTHER else None
        related = site or document.kind == SKILL or document.settings.after
        neighbors = (
            {path.name: self.read(path) for path in sorted(document.path.parent.glob("*.md"))} if related else {}
        )
        neighbors[document.path.name] = document
        return CheckedPage(document, self.follow(document), self.repository, self.scripts, site, neighbors)

    def check(self, documents: Sequence[Document]) -> list[Problem]:
        """Return the problems of all documents, in order of their place."""
        of_rules = [problem for document in documents for problem in self.problems(document)]
        return sorted(dict.fromkeys([*of_rules, *shellcheck.check_blocks(documents)]))

    def problems(self, document: Document) -> Iterator[Problem]:
        """Yield one document's problems, rule by rule; shellcheck, a program, is not asked."""
        page = self.page(document)
        yield from page.walk.problems
        for check in RULES:
            yield from check(page)

    def _name(self, path: Path) -> str:
        for base in (Path.cwd(), self.repository.root.resolve()):
            if path.is_relative_to(base):
                return path.relative_to(base).as_posix()
        return str(path)


def opt_outs(documents: Iterable[Document]) -> list[OptOut]:
    """Return every comment that keeps something from being checked or run."""
    return [
        OptOut(document.name, element.options.place or element.place, what, reason)
        for document in documents
        for element in document.elements
        for what, reason in (("not checked", element.options.skip), ("not run", element.options.no_run))
        if reason
    ]
