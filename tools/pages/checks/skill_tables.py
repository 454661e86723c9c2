# SPDX-License-Identifier: Apache-2.0
"""The two tables of a skill: its metrics and its failures."""

from __future__ import annotations

import re
from collections.abc import Iterator

from model_profiling.errors import nearest
from tools.pages.checks.page import CheckedPage
from tools.pages.checks.skill_sections import problem, steps_of
from tools.pages.reading import skill_form
from tools.pages.reading.problems import Problem
from tools.pages.reading.skill_form import PageSection, SkillForm, TableRow

_LEAST_WORDS = 3


def metrics(page: CheckedPage, form: SkillForm, section: PageSection) -> Iterator[Problem]:
    yield from _table(page, section, skill_form.METRIC_COLUMNS)
    for row in _rows(section, skill_form.METRIC_COLUMNS):
        name, _, plausible, advice = row.texts
        yield from _one_command(page, row)
        if skill_form.plausible_range(plausible) is None:
            yield problem(
                page,
                row.cells[2].place,
                f'"{plausible}" is no range: write "LOW to HIGH unit", "at least X unit" or "at most X unit"',
            )
        if not name:
            yield problem(page, row.place, "the metric has no name")
        if len(advice.split()) < _LEAST_WORDS:
            yield problem(
                page, row.cells[3].place, f'"{advice}" does not say what to do with a value outside the range'
            )


def _one_command(page: CheckedPage, row: TableRow) -> Iterator[Problem]:
    cell = row.cells[1]
    if len(cell.spans) != 1 or cell.spans[0].text != cell.text.strip():
        yield problem(page, cell.place, 'the column "command" holds one code span, and nothing else')
        return
    block = next((b for b in page.document.metrics if b.place == cell.spans[0].place), None)
    if block and len(steps_of(page, block)) != 1:
        yield problem(page, cell.spans[0].place, "a metric's command is one command line")


def failures(page: CheckedPage, form: SkillForm, section: PageSection) -> Iterator[Problem]:
    yield from _table(page, section, skill_form.FAILURE_COLUMNS)
    seen: set[str] = set()
    for row in _rows(section, skill_form.FAILURE_COLUMNS):
        symptom, cause, fix = row.texts
        spans = row.cells[0].spans
        if len(spans) != 1 or spans[0].text != symptom or not re.search(r"[A-Za-z]{3}", symptom):
            yield problem(
                page, row.place, 'the column "symptom" holds one code span with what is printed, and nothing else'
            )
        elif symptom in seen:
            yield problem(page, row.place, f'the symptom "{symptom}" stands twice')
        seen.add(symptom)
        if not cause:
            yield problem(page, row.place, f'the symptom "{symptom}" has no cause')
        if not row.cells[2].spans or len(fix.split()) < _LEAST_WORDS:
            yield problem(
                page, row.cells[2].place, f'"{fix}" is no fix: say what to do, with the command as a code span'
            )
        for span in row.cells[2].spans:
            first = span.text.split()[0] if span.text.split() else ""
            if skill_form.is_command(span.text) and not skill_form.knows_program(first) and "=" not in first:
                yield problem(
                    page,
                    span.place,
                    f"{first} is not a program that pages call{nearest(first, skill_form.known_starts())}",
                )


def _rows(section: PageSection, columns: tuple[str, ...]) -> Iterator[TableRow]:
    """Yield the rows of a section's table that have all columns."""
    yield from (row for row in skill_form.rows_of(section)[1:] if len(row.cells) == len(columns))


def _table(page: CheckedPage, section: PageSection, columns: tuple[str, ...]) -> Iterator[Problem]:
    """A section's table has the columns that it should, and a row."""
    header, *rows = skill_form.rows_of(section) or [TableRow(section.heading.place, ())]
    if header.texts != columns:
        yield problem(page, header.place, f"a table with the columns {', '.join(columns)} belongs here")
    elif not rows:
        yield problem(page, header.place, "the table has no row")
