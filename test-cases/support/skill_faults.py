# SPDX-License-Identifier: Apache-2.0
"""Single faults in skills: sections, headings, gates, tables, and the commands that stand in tables."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from support.page_edits import EditedPage, Fault, flag_slip, misspelt, path_slip
from tools.pages.reading import skill_form
from tools.pages.reading.document import SKILL, Heading, Passage
from tools.pages.reading.shell import commands
from tools.pages.reading.shell_parser import parse
from tools.pages.reading.skill_form import CRITERIA, FAILURES, METRICS, NEXT, PREREQUISITES, STEPS, SkillForm


def _sections(page: EditedPage, form: SkillForm) -> Iterator[Fault]:
    starts = [section.heading.place.line for section in form.sections.values()]
    for (title, section), end in zip(form.sections.items(), [*starts[1:], len(page.lines) + 1], strict=True):
        line = section.heading.place.line
        yield page.without_lines("missing section", line, end - 1, title)
        yield page.without_lines("missing heading", line, line, title)
        yield page.with_line("misspelt heading", line, f"## {misspelt(title, page.chance)}")
        yield page.with_line("section twice", line, f"## {PREREQUISITES if title != PREREQUISITES else STEPS}")
    for title in (CRITERIA, METRICS, FAILURES):
        section = form.sections[title]
        following = list(form.sections.values())[list(form.sections).index(title) + 1]
        yield page.with_line("sections swapped", section.heading.place.line, f"## {following.heading.text}")


def _steps(page: EditedPage, form: SkillForm) -> Iterator[Fault]:
    for heading in page.document.every(Heading):
        line = page.line(heading.place.line)
        if heading.level == 1:
            yield page.without_lines("no title", heading.place.line, heading.place.line, heading.text)
            yield page.with_line("title without a verb", heading.place.line, re.sub(r"^# \w+", "# The", line))
        elif heading.level == 3:
            yield page.with_line("step without its number", heading.place.line, re.sub(r"\d+\. ", "", line))
            yield page.with_line("wrong number of a step", heading.place.line, re.sub(r"\d+", "7", line))
            yield page.with_line("step of another level", heading.place.line, f"#{line}")
    for passage in page.document.every(Passage):
        if page.line(passage.place.line) == "The output is similar to:":
            yield page.with_line("output without its lead-in", passage.place.line, "You should see:")


def _gates(page: EditedPage, form: SkillForm) -> Iterator[Fault]:
    for title in (PREREQUISITES, CRITERIA):
        for block in form.sections[title].blocks():
            last = block.place.line + block.text.count("\n") - 1
            yield page.with_line("check that cannot fail", last, page.line(last) + " || true")
            yield page.without_lines("no gate", block.fence.line, last + 1, title)
            yield page.without_lines("empty gate", block.place.line, last, title)
            if page.line(block.place.line) == "source .venv/bin/activate":
                yield page.without_lines("environment not activated", block.place.line, block.place.line, title)
    for passage in form.sections[PREREQUISITES].passages("item"):
        if len(form.sections[PREREQUISITES].passages("item")) == 1:
            yield page.without_lines("no prerequisite", passage.place.line, passage.place.line, passage.text)


def _tables(page: EditedPage, form: SkillForm) -> Iterator[Fault]:
    for title, columns in ((METRICS, skill_form.METRIC_COLUMNS), (FAILURES, skill_form.FAILURE_COLUMNS)):
        header, *rows = skill_form.rows_of(form.sections[title])
        line = page.line(header.place.line)
        for column in columns:
            yield page.with_line("renamed column", header.place.line, line.replace(f" {column} ", f" {column}s ", 1))
        yield page.without_lines("empty table", rows[0].place.line, rows[-1].place.line, title)
        for row in rows:
            yield from _row(page, title, row.place.line)


def _row(page: EditedPage, title: str, number: int) -> Iterator[Fault]:
    cells = re.split(r"(?<!\\)\|", page.line(number))

    def changed(kind: str, column: int, text: str) -> Fault:
        return page.with_line(kind, number, "|".join([*cells[:column], f" {text} ", *cells[column + 1 :]]))

    if title == METRICS:
        low_high = re.match(r" ([\d.,]+) to ([\d.,]+)(.*)", cells[3])
        yield changed("metric without a range", 3, "some")
        yield changed("metric without a command", 2, cells[2].strip(" `"))
        yield changed("metric without advice", 4, "again")
        if low_high:
            yield changed("range upside down", 3, f"{low_high[2]} to {low_high[1]}{low_high[3]}")
    else:
        yield changed("symptom that is no output", 1, cells[1].strip(" `"))
        yield changed("no cause", 2, "")
        yield changed("fix without a command", 3, cells[3].replace("`", ""))
        yield changed("no fix", 3, "again")


def _table_commands(page: EditedPage, form: SkillForm) -> Iterator[Fault]:
    """Faults in what the tables type; what a metric types is among the page's command lines already."""
    for block in (block for fix in page.document.fixes for block in fix):
        for command in commands(
            tuple(shape for s in parse(block.text, block.place, {}).statements for shape in s.shapes)
        ):
            for number, word in enumerate(command.words):
                before = command.words[number - 1].raw if number else ""
                if word.raw.startswith("--"):
                    yield from page.replace(
                        "misspelt flag in a fix", word.place, word.raw, flag_slip(word.raw, page.chance)
                    )
                elif word.raw.endswith((".py", ".sh")) and (number == 0 or before in ("python", "python3", "bash")):
                    yield from page.replace(
                        "renamed script in a fix", word.place, word.raw, path_slip(word.raw, page.chance)
                    )
                elif number == 0 and word.raw.isalpha() and len(word.raw) > 2:
                    yield from page.replace(
                        "misspelt program in a fix", word.place, word.raw, misspelt(word.raw, page.chance)
                    )


def _head(page: EditedPage, form: SkillForm) -> Iterator[Fault]:
    head = page.document.front_matter
    name, order = head.places["name"].line, next(n for n in range(1, 20) if page.line(n).strip().startswith("order:"))
    yield page.with_line("name that is none", name, f"name: {form.name.replace('-', '_')}")
    yield page.with_line("name that is none", name, f"name: {form.name.title()}")
    yield page.with_line("misspelt name", name, f"name: {misspelt(form.name, page.chance)}")
    yield page.with_line("wrong order", order, '  order: "44"')
    yield page.with_line(
        "description without when",
        head.places["description"].line,
        page.line(head.places["description"].line).replace("Use when", "It is for when"),
    )


def _next(page: EditedPage, form: SkillForm) -> Iterator[Fault]:
    for passage in form.sections[NEXT].passages():
        line = page.line(passage.place.line)
        yield page.with_line("no next skill", passage.place.line, re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", line))
        yield page.with_line(
            "another next skill", passage.place.line, re.sub(r"\]\([^)]*\)", f"]({page.document.path.name})", line)
        )


_MAKERS: tuple[Callable[[EditedPage, SkillForm], Iterator[Fault]], ...] = (
    _sections,
    _steps,
    _gates,
    _tables,
    _table_commands,
    _head,
    _next,
)


def skill_faults(page: EditedPage) -> Iterator[Fault]:
    """Yield the faults that only skills have."""
    if page.document.kind == SKILL:
        form = skill_form.read_form(page.document)
        for make in _MAKERS:
            yield from make(page, form)
