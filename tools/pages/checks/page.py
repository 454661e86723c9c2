# SPDX-License-Identifier: Apache-2.0
"""A page in its context: what a rule looks at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tools.pages.reader.following import Walk
from tools.pages.reader.scripts import Scripts
from tools.pages.reading.document import Document, ElementKind
from tools.pages.reading.problems import Position, Problem
from tools.pages.reading.repository import Repository, Site


@dataclass(frozen=True)
class CheckedPage:
    """A document with what its rules need: what following it gave, and what is around it.

    `neighbors` are the other pages of its folder, by file name.
    """

    document: Document
    walk: Walk
    repository: Repository
    scripts: Scripts
    site: Site | None = None
    neighbors: Mapping[str, Document] = field(default_factory=dict)

    def problem(self, place: Position, rule: str, message: str) -> Problem:
        return Problem(self.document.name, place, rule, message)

    def every(self, kind: type[ElementKind]) -> Iterator[ElementKind]:
        """Yield the elements of one type, in order, that no comment keeps from being checked."""
        return (element for element in self.document.every(kind) if not element.options.skip)

    @property
    def folder(self) -> Path:
        return self.document.path.parent
