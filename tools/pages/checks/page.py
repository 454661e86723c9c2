# SPDX-License-Identifier: Apache-2.0
"""A page in its context: what a check looks at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tools.pages.reader.following import Walk
from tools.pages.reader.scripts import Scripts
from tools.pages.reading.document import Document
from tools.pages.reading.problems import Place, Problem
from tools.pages.reading.repository import Repository, Site


@dataclass(frozen=True)
class Page:
    """A document with what its checks need: what following it gave, and what is around it.

    `neighbors` are the other pages of its folder, by file name.
    """

    document: Document
    walk: Walk
    repository: Repository
    scripts: Scripts
    site: Site | None = None
    neighbors: Mapping[str, Document] = field(default_factory=dict)

    def problem(self, place: Place, rule: str, message: str) -> Problem:
        return Problem(self.document.name, place, rule, message)

    @property
    def folder(self) -> Path:
        return self.document.path.parent
