# SPDX-License-Identifier: Apache-2.0
"""The kinds of check. Each module has one function from a page in its context to problems."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pages.document import Document
from pages.following import Walk
from pages.problems import Place, Problem
from pages.repository import Repository, Site
from pages.scripts import Scripts


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
