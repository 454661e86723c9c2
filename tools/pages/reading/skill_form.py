# SPDX-License-Identifier: Apache-2.0
"""The form of a skill: its sections, its two tables, and the commands that stand in them.

A skill is a page that a machine gates: what is typed (steps), what has to hold afterwards (success
criteria), which figures are plausible (metrics), and what to do when it goes wrong (failures).
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from tools.pages.reading import known_programs
from tools.pages.reading.document import Block, Document, Element, Heading, Passage, Span
from tools.pages.reading.problems import Position
from tools.pages.reading.shell import Command, Shape

PREREQUISITES, STEPS, CRITERIA, METRICS, REFINE, FAILURES, TIME, NEXT = (
    "Prerequisites",
    "Steps",
    "Success criteria",
    "Expected metrics",
    "Refine and try again",
    "Failures",
    "Time",
    "Next skill",
)
SECTIONS = (PREREQUISITES, STEPS, CRITERIA, METRICS, REFINE, FAILURES, TIME, NEXT)
METRIC_COLUMNS = ("metric", "command", "plausible", "outside it")
FAILURE_COLUMNS = ("symptom", "cause", "fix")
GAP = "..."

_NUMBER = r"([-+]?\d[\d,]*(?:\.\d+)?)"
_BETWEEN = re.compile(rf"{_NUMBER} to {_NUMBER}(?: [A-Za-z%µ/][^\d]*)?")
_ONE_SIDED = re.compile(rf"(at least|at most) {_NUMBER}(?: [A-Za-z%µ/][^\d]*)?")
#: What starts a command line beside programs: words of the shell itself.
_SHELL_WORDS = frozenset({"export", "unset", "set", "cd", "source", "."})
_SET_UP = frozenset({"source", ".", "cd", "set", "shopt", "umask", "deactivate"})
_STARTERS = frozenset({"python", "python3", "bash", "sh"}) | _SHELL_WORDS
_PROGRAM = re.compile(r"[a-z.][\w./+-]*")


@dataclass(frozen=True)
class PageSection:
    """An H2 with everything up to the next one."""

    heading: Heading
    elements: tuple[Element, ...]

    def passages(self, container: str | None = None) -> tuple[Passage, ...]:
        return tuple(e for e in self.elements if isinstance(e, Passage) and container in (None, e.container))

    def blocks(self) -> tuple[Block, ...]:
        return tuple(e for e in self.elements if isinstance(e, Block) and e.is_shell)


@dataclass(frozen=True)
class TableRow:
    """One line of a table."""

    place: Position
    cells: tuple[Passage, ...]

    @property
    def texts(self) -> tuple[str, ...]:
        return tuple(cell.text.strip() for cell in self.cells)


@dataclass(frozen=True)
class Range:
    """Plausible values, both ends included; None where there is no end."""

    low: float | None
    high: float | None

    def holds(self, value: float) -> bool:
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)


@dataclass(frozen=True)
class Metric:
    """One row of the table of metrics; `plausible` is None where its text is no range."""

    name: str
    command: str
    plausible: Range | None
    outside_it: str
    place: Position


@dataclass(frozen=True)
class Failure:
    """One row of the failure table: `commands` are what the reader types to repair it."""

    symptom: str
    cause: str
    fix: str
    commands: tuple[str, ...]
    place: Position


@dataclass(frozen=True)
class SkillForm:
    """A skill's parts, as far as they are there: a checker looks at what is not."""

    document: Document
    sections: dict[str, PageSection] = field(default_factory=dict)

    @property
    def name(self) -> str:
        values = self.document.front_matter.values if self.document.front_matter else None
        return str((values or {}).get("name", self.document.path.stem))

    @property
    def number(self) -> str:
        """Return the two digits that the file's name begins with."""
        return self.document.path.name[:2]

    def section_of(self, block: Block) -> str:
        """Return the title of the section that a block stands in; a metric's command stands in its table's."""
        if any(block is metric for metric in self.document.metrics):
            return METRICS
        return next(
            (title for title, section in self.sections.items() if any(e is block for e in section.elements)), ""
        )

    def metrics(self) -> tuple[Metric, ...]:
        """Return the rows of the table of metrics that are whole."""
        rows = [row for row in rows_of(self.sections.get(METRICS))[1:] if len(row.cells) == len(METRIC_COLUMNS)]
        return tuple(
            Metric(
                name,
                row.cells[1].spans[0].text if row.cells[1].spans else "",
                plausible_range(plausible),
                advice,
                row.place,
            )
            for row in rows
            for name, _, plausible, advice in [row.texts]
        )

    def failures(self) -> tuple[Failure, ...]:
        """Return the rows of the failure table that are whole."""
        rows = [row for row in rows_of(self.sections.get(FAILURES))[1:] if len(row.cells) == len(FAILURE_COLUMNS)]
        return tuple(
            Failure(
                row.cells[0].spans[0].text if row.cells[0].spans else "",
                row.texts[1],
                row.texts[2],
                tuple(span.text for span in row.cells[2].spans if is_command(span.text)),
                row.place,
            )
            for row in rows
        )

    def title(self) -> str:
        return next((heading.text for heading in self.document.every(Heading)), self.name)


def read_form(document: Document) -> SkillForm:
    """Return a skill's parts; of a section that stands twice the first."""
    form = SkillForm(document)
    for section in sections(document):
        form.sections.setdefault(section.heading.text, section)
    return form


def sections(document: Document) -> list[PageSection]:
    """Return every H2 with what stands under it."""
    read: list[PageSection] = []
    for element in document.elements:
        if isinstance(element, Heading) and element.level == 2:
            read.append(PageSection(element, ()))
        elif read:
            read[-1] = replace(read[-1], elements=(*read[-1].elements, element))
    return read


def rows_of(section: PageSection | None) -> list[TableRow]:
    """Return the rows of the table in a section, its header first."""
    rows: list[TableRow] = []
    for cell in section.passages("cell") if section else ():
        if rows and rows[-1].place.line == cell.place.line:
            rows[-1] = replace(rows[-1], cells=(*rows[-1].cells, cell))
        else:
            rows.append(TableRow(cell.place, (cell,)))
    return rows


def plausible_range(text: str) -> Range | None:
    """Read ``LOW to HIGH unit``, ``at least X unit`` or ``at most X unit``; None where it is none of them."""
    if between := _BETWEEN.fullmatch(text.strip()):
        low, high = _value(between[1]), _value(between[2])
        return Range(low, high) if low < high else None
    if one_sided := _ONE_SIDED.fullmatch(text.strip()):
        end = _value(one_sided[2])
        return Range(end, None) if one_sided[1] == "at least" else Range(None, end)
    return None


def _value(text: str) -> float:
    return float(text.replace(",", ""))


# ---------------------------------------------------------------- commands in tables


def is_command(text: str) -> bool:
    """Return whether a code span is something to type, and not the name of a flag, file or key.

    Several words of which the first could be a program's name are taken for a command, so that a
    misspelt program is not passed over as a name.
    """
    words = _words(text)
    first = words[0] if words else ""
    if "=" in first and re.match(r"[A-Z_]+=", first):
        return len(words) > 1
    if len(words) == 1:
        return (
            first in ("deactivate",) or first.startswith((".venv/bin/", "./")) or "/" in first and first.endswith(".sh")
        )
    return bool(_PROGRAM.fullmatch(first))


def knows_program(first: str) -> bool:
    """Return whether `first` starts a command line: a program that pages call, or a path to one."""
    return first in _STARTERS or first in known_programs.known() or "/" in first


def sets_shell_up(shape: Shape) -> bool:
    """Return whether a command does nothing but set the shell up: its folder, its variables, its environment."""
    if not isinstance(shape, Command):
        return False
    if shape.keyword in ("export", "declare", "readonly", "typeset", "unset"):
        return True
    return shape.words[0].raw in _SET_UP if shape.words else bool(shape.assignments)


def known_starts() -> list[str]:
    return [*_STARTERS, *known_programs.known()]


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        return text.split()


def with_table_commands(document: Document) -> Document:
    """Return a skill with the commands of its tables as blocks of bash, in the table's order."""
    form = read_form(document)
    metrics = [row.cells[1].spans[:1] for row in rows_of(form.sections.get(METRICS))[1:] if len(row.cells) > 1]
    fixes = [_commands(row) for row in rows_of(form.sections.get(FAILURES))[1:] if len(row.cells) > 2]
    return replace(
        document,
        metrics=tuple(_block(span) for spans in metrics for span in spans),
        fixes=tuple(tuple(map(_block, spans)) for spans in fixes),
    )


def _commands(row: TableRow) -> Sequence[Span]:
    return [span for span in row.cells[2].spans if is_command(span.text)]


def _block(span: Span) -> Block:
    return Block("bash", span.text + "\n", span.place, span.place)


def symptoms(document: Document) -> Iterator[Passage]:
    """Yield the cells that hold what is printed, which no rule for commands and paths applies to."""
    yield from (row.cells[0] for row in rows_of(read_form(document).sections.get(FAILURES))[1:])
