# SPDX-License-Identifier: Apache-2.0
"""The sections of a history's page, in their order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from model_profiling.analysis.history.metrics import METRICS
from model_profiling.report.figures import Drawable
from model_profiling.report.history.view import HistoryView, LevelChangeRow, RecordedRunRow, SeriesRow
from model_profiling.report.quantities import Sentence
from model_profiling.report.section import Block, BlocksSection, ReportPage, ReportSection
from model_profiling.report.words import history as words
from model_profiling.report.words.table import Table

_METHOD: tuple[Sentence, ...] = (
    (
        "A series holds runs that can be compared: the same model, recipe, method, shapes, threads and side, on "
        "the same CPU and the same build of an Android device, with the same kind of runner. "
        "Runs on an emulated CPU have no times.",
    ),
    (
        "Changes of latency, load time and peak memory are change points (PELT with a Gaussian kernel, of the "
        "logarithms), so that a single slow run is none; the newest run is held against the level before it as well, "
        "and one that stands out is called new. A series of fewer than six runs shows none. Size, coverage and the "
        "greatest error are the same in every run of one program: each difference is a change.",
    ),
    (
        "Latency is the geometric mean over the launches of a run, with its 95 % interval; what changes from day to "
        "day is not in the interval but in how the dots scatter. Runs stand in the order of their own times.",
    ),
)


@dataclass(frozen=True)
class ChangesSection(ReportSection):
    """Every change, the newest first."""

    anchor: ClassVar[str] = "changes"
    title: ClassVar[str] = "Changes"
    template: ClassVar[str] = "history-changes"
    changes: tuple[LevelChangeRow, ...]

    @property
    def table(self) -> Table:
        columns = ("Since", "Series", "Result", "Change", "Level", "Runs", "What differs")
        rows = tuple(
            (c.when, f"{c.name}, {c.about}", c.metric, c.percent.text, c.levels, c.support, c.between)
            for c in self.changes
        )
        return Table("Changes", columns, rows, frozenset(("Change",)))

    def blocks(self) -> Sequence[Block]:
        return (self.table,) if self.changes else (("None was found.",),)

    def markdown(self, page: ReportPage) -> str:
        return page.blocks(self)


@dataclass(frozen=True)
class SeriesSection(ReportSection):
    """The newest results of every series."""

    anchor: ClassVar[str] = "newest"
    title: ClassVar[str] = "Newest results"
    template: ClassVar[str] = "history-series"
    series: tuple[SeriesRow, ...]

    @property
    def headings(self) -> tuple[str, ...]:
        return tuple(f"{words.title_of(m)[:1].upper()}{words.title_of(m)[1:]}, {words.unit_of(m)}" for m in METRICS)

    @property
    def table(self) -> Table:
        rows = tuple(
            (f"{row.name}, {row.about}", str(row.runs), *(_with_note(cell.text, cell.note) for cell in row.cells))
            for row in self.series
        )
        return Table("Newest results", ("Series", "Runs", *self.headings), rows, frozenset(("Runs", *self.headings)))

    def blocks(self) -> Sequence[Block]:
        return (self.table,)

    def markdown(self, page: ReportPage) -> str:
        return page.blocks(self)


def _with_note(text: str, note: str) -> str | None:
    return f"{text} ({note})" if note else text or None


@dataclass(frozen=True)
class TrendsSection(ReportSection):
    """A figure for each series."""

    anchor: ClassVar[str] = "trends"
    title: ClassVar[str] = "Trends"
    template: ClassVar[str] = "history-trends"
    drawn: tuple[tuple[SeriesRow, Drawable], ...]
    others: int

    @property
    def others_sentence(self) -> str:
        without = "1 series has" if self.others == 1 else f"{self.others:,} series have"
        return f"{without} no figure: one run is no trend, and of very many series those that changed go first."

    @property
    def shown(self) -> bool:
        return bool(self.drawn)

    def figures(self) -> Iterable[Drawable]:
        return [drawable for _, drawable in self.drawn]

    def markdown(self, page: ReportPage) -> str:
        return ""  # a comment on a pull request has no room for figures


@dataclass(frozen=True)
class HistoryRunsSection(ReportSection):
    """Every run, with what it was made with and where it lies."""

    anchor: ClassVar[str] = "runs"
    title: ClassVar[str] = "Runs"
    template: ClassVar[str] = "history-runs"
    runs: tuple[RecordedRunRow, ...]

    def markdown(self, page: ReportPage) -> str:
        return ""


class MethodSection(BlocksSection):
    """How changes are found."""

    anchor: ClassVar[str] = "method"
    title: ClassVar[str] = "How to read this"


def history_sections(view: HistoryView, drawables: Sequence[tuple[SeriesRow, Drawable]]) -> tuple[ReportSection, ...]:
    """Return the sections in their order."""
    return (
        SeriesSection(view.series),
        ChangesSection(view.changes),
        TrendsSection(tuple(drawables), len(view.series) - len(drawables)),
        HistoryRunsSection(view.runs),
        MethodSection(_METHOD),
    )
