# SPDX-License-Identifier: Apache-2.0
"""What a section of a report is: its place in the navigation, and its text in each markup.

A section is a frozen dataclass of what it says. One of paragraphs and tables only gives
its `blocks`, from which both markups follow; any other has a template for each.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from model_profiling.report.figures import Drawable
from model_profiling.report.quantities import Sentence
from model_profiling.report.words.table import Table

#: What a section without a template is made of.
Block = Sentence | Table | Drawable


class ReportPage(Protocol):
    """A page in one markup, as a section writes to it."""

    def template(self, name: str, section: ReportSection) -> str:
        """Return the section by its template of that name."""

    def blocks(self, section: ReportSection) -> str:
        """Return the section from its title and its blocks."""


@dataclass(frozen=True)
class ReportSection:
    """A section: `anchor` and `title` lead to it from the navigation, `template` is "" where it has blocks."""

    anchor: ClassVar[str]
    title: ClassVar[str]
    template: ClassVar[str] = ""

    @property
    def shown(self) -> bool:
        """Whether the report has this section."""
        return True

    def links(self) -> Sequence[tuple[str, str]]:
        """Return what the navigation lists of it: anchors with their titles."""
        return ((self.anchor, self.title),)

    def blocks(self) -> Sequence[Block]:
        """Return the paragraphs, tables and figures of a section without a template."""
        return ()

    def figures(self) -> Iterable[Drawable]:
        """Return the section's own figures, in the order in which it shows them."""
        return [block for block in self.blocks() if isinstance(block, Drawable)]

    def html(self, page: ReportPage) -> str | None:
        """Return the section's HTML, None where it has no place of its own in it."""
        return page.template(self.template, self) if self.template else page.blocks(self)

    def markdown(self, page: ReportPage) -> str:
        return page.template(self.template, self) if self.template else page.blocks(self)


@dataclass(frozen=True)
class BlocksSection(ReportSection):
    """A section of paragraphs, tables and figures that is there where it has any."""

    told: tuple[Block, ...]

    @property
    def shown(self) -> bool:
        return bool(self.told)

    def blocks(self) -> Sequence[Block]:
        return self.told
