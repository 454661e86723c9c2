# SPDX-License-Identifier: Apache-2.0
"""The form of a skill: every section there, in order, with what a person or a program needs of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from model_profiling.errors import nearest
from tools.pages.checks.page import Page
from tools.pages.checks.rules.front_matter import begins_with_verb
from tools.pages.reader.following import CommandLine
from tools.pages.reading import skill_form
from tools.pages.reading.document import SKILL, Block, Document, Heading, Link, Passage
from tools.pages.reading.problems import Position, Problem
from tools.pages.reading.skill_form import (
    CRITERIA,
    FAILURES,
    METRICS,
    NEXT,
    PREREQUISITES,
    REFINE,
    SECTIONS,
    STEPS,
    TIME,
    Section,
    SkillForm,
    TableRow,
)

ACTIVATE = "source .venv/bin/activate"
CATALOGUE = "readme.md"
LEAD_IN = "The output is similar to:"
#: What the open form asks for, so that a skill does not fill an assistant's memory.
_MAX_LINES = 500
_MAX_SENTENCES, _LEAST_WORDS = 3, 3
_FILE = re.compile(r"\d\d_[a-z0-9_]+\.md")
_CANNOT_FAIL = re.compile(r"(\|\||;)\s*(true|:|echo\b.*)\s*$")


def check(page: Page) -> Iterator[Problem]:
    """Check a skill's form; any other document has none to check."""
    if page.document.kind != SKILL:
        return
    form = skill_form.read_form(page.document)
    yield from _head(page, form)
    yield from _order(page)
    for title, of_section in _OF_SECTIONS.items():
        if title in form.sections:
            yield from of_section(page, form, form.sections[title])


def _problem(page: Page, place: Position, message: str) -> Problem:
    return page.problem(place, "skill", message)


# ---------------------------------------------------------------- head and order


def _head(page: Page, form: SkillForm) -> Iterator[Problem]:
    document = page.document
    if not _FILE.fullmatch(document.path.name):
        yield _problem(page, Position(1), f"{document.path.name}: a skill's file is NN_words_in_lower_case.md")
    values = (document.front_matter.values if document.front_matter else None) or {}
    order = values.get("metadata", {}).get("order") if isinstance(values.get("metadata"), dict) else None
    if order is not None and order != form.number:
        yield _problem(
            page,
            document.front_matter.places.get("metadata", Position(1)),
            f'metadata: order is "{order}", the file\'s number is {form.number}',
        )
    if "Use when" not in str(values.get("description", "Use when")):
        yield _problem(
            page,
            document.front_matter.places["description"],
            'the description does not say when to use it: add "Use when ..."',
        )
    titles = [heading for heading in document.every(Heading) if heading.level == 1]
    if len(titles) != 1 or document.elements[0] is not titles[0]:
        yield _problem(
            page,
            document.elements[0].place if document.elements else Position(1),
            "the body begins with one H1, the skill's title",
        )
    elif not begins_with_verb(titles[0].text):
        yield _problem(
            page,
            titles[0].place,
            f'the title does not tell to do something: "{titles[0].text.partition(" ")[0]}" is not among the verbs '
            "in front_matter.yaml",
        )
    elif not isinstance(document.elements[1] if len(document.elements) > 1 else None, Passage):
        yield _problem(page, titles[0].place, "no sentence after the title says what the skill is for")
    lines = document.text.count("\n")
    if lines > _MAX_LINES:
        yield _problem(page, Position(_MAX_LINES), f"{lines} lines: a skill has at most {_MAX_LINES}")
    if document.settings.start_in:
        yield _problem(page, Position(1), 'a skill starts in the kit\'s folder: leave "check: start-in" out')
    for name, other in page.neighbors.items():
        if other.kind == SKILL and name != document.path.name and skill_form.read_form(other).name == form.name:
            yield _problem(page, Position(1), f"the name {form.name} is {name}'s too")
    yield from _in_catalogue(page, form)


def _in_catalogue(page: Page, form: SkillForm) -> Iterator[Problem]:
    """The catalogue of the folder names the skill and links to it."""
    catalogue = _catalogue(page)
    if catalogue is None:
        return
    links = [link for passage in catalogue.every(Passage) for link in passage.links]
    spans = [span.text for passage in catalogue.every(Passage) for span in passage.spans]
    if not any(link.target == page.document.path.name for link in links):
        yield _problem(page, Position(1), f"{catalogue.name} does not link to this skill")
    if form.name not in spans:
        yield _problem(page, Position(1), f"{catalogue.name} does not name {form.name}{nearest(form.name, spans)}")


def _catalogue(page: Page) -> Document | None:
    return next((document for name, document in page.neighbors.items() if name.lower() == CATALOGUE), None)


def _order(page: Page) -> Iterator[Problem]:
    found = [heading for heading in page.document.every(Heading) if heading.level == 2]
    texts = [heading.text for heading in found]
    for heading in found:
        if heading.text not in SECTIONS:
            yield _problem(
                page, heading.place, f'"{heading.text}" is no section of a skill{nearest(heading.text, SECTIONS)}'
            )
        elif texts.count(heading.text) > 1:
            yield _problem(page, heading.place, f'the section "{heading.text}" stands twice')
    for title in SECTIONS:
        if title not in texts:
            yield _problem(page, found[-1].place if found else Position(1), f'the section "{title}" is missing')
    known = [text for text in texts if text in SECTIONS]
    if sorted(known, key=SECTIONS.index) != known:
        yield _problem(page, found[0].place, f"the sections stand in another order than {', '.join(SECTIONS)}")
    for heading in page.document.every(Heading):
        if heading.level > 2 and _section_title(page, heading) != STEPS:
            yield _problem(page, heading.place, "only the steps have headings of their own")


def _section_title(page: Page, heading: Heading) -> str:
    before = [h.text for h in page.document.every(Heading) if h.level == 2 and h.place < heading.place]
    return before[-1] if before else ""


# ---------------------------------------------------------------- prerequisites, steps, criteria


def _prerequisites(page: Page, form: SkillForm, section: Section) -> Iterator[Problem]:
    blocks = section.blocks()
    if not section.passages("item"):
        yield _problem(page, section.heading.place, "the prerequisites are a bullet list of what has to be there")
    if len(blocks) != 1:
        yield _problem(page, section.heading.place, f"one bash block checks the prerequisites; here are {len(blocks)}")
        return
    yield from _checks(page, blocks[0])
    first = next((step.statement.text for step in _steps_of(page, blocks[0])), "")
    if form.number != "01" and first != ACTIVATE:
        yield _problem(page, blocks[0].place, f'the check begins with "{ACTIVATE}"')
    told = [p for p in section.passages("paragraph") if p.place > blocks[0].place]
    if not told:
        yield _problem(page, section.heading.place, "no sentence after the check says what to do where it fails")
    elif form.number != "01" and not any(_is_skill(link) for passage in told for link in passage.links):
        yield _problem(page, told[0].place, "the sentence after the check links to no skill that helps")


def _steps(page: Page, form: SkillForm, section: Section) -> Iterator[Problem]:
    first = section.elements[0] if section.elements else None
    if not isinstance(first, Heading):
        yield _problem(page, section.heading.place, 'the steps begin with "### 1. ..."')
    parts: list[list] = []
    for element in section.elements:
        if isinstance(element, Heading):
            parts.append([element])
        elif parts:
            parts[-1].append(element)
    for number, part in enumerate(parts, 1):
        yield from _step(page, number, part)
    for step in _typed_in(page, section):
        if not _sets_up_cleanly(step):
            yield _problem(
                page,
                step.statement.place,
                "a line that sets the shell up does nothing else: a run that goes on repeats it",
            )


def _step(page: Page, number: int, part: list) -> Iterator[Problem]:
    heading, rest = part[0], part[1:]
    found = re.fullmatch(r"(\d+)\. (\S.*)", heading.text)
    if heading.level != 3:
        yield _problem(page, heading.place, "a step's heading is an H3 (###)")
    if not found or int(found[1]) != number:
        yield _problem(page, heading.place, f'the heading of this step begins with "{number}. "')
    elif not begins_with_verb(found[2]):
        yield _problem(
            page,
            heading.place,
            f'the step does not tell to do something: "{found[2].split()[0]}" is not among the verbs in front_matter.yaml',
        )
    typed = [e for e in rest if isinstance(e, Block) and e.is_shell]
    if not rest or not isinstance(rest[0], Passage):
        yield _problem(page, heading.place, "no sentence says what the step does")
    if not typed:
        yield _problem(page, heading.place, "the step types nothing: add a bash block")
    elif not any(isinstance(e, Block) and e.language == "output" for e in rest):
        yield _problem(
            page, heading.place, f'the step does not show what one should see: add "{LEAD_IN}" and an output block'
        )
    before = [
        e
        for e in rest
        if isinstance(e, Passage) and e.container == "paragraph" and (not typed or e.place < typed[0].place)
    ]
    sentences = [s for p in before for s in re.split(r"(?<=[.!?:])\s+", p.text.strip()) if s]
    if len(sentences) > _MAX_SENTENCES:
        yield _problem(
            page, before[0].place, f"{len(sentences)} sentences before the step's commands: at most {_MAX_SENTENCES}"
        )


def _criteria(page: Page, form: SkillForm, section: Section) -> Iterator[Problem]:
    blocks = section.blocks()
    if len(blocks) != 1:
        yield _problem(
            page, section.heading.place, f"one bash block holds the success criteria; here are {len(blocks)}"
        )
    for block in blocks:
        yield from _checks(page, block)


def _checks(page: Page, block: Block) -> Iterator[Problem]:
    """Every line of a gate can fail, and every one runs."""
    steps = _steps_of(page, block)
    if not steps:
        yield _problem(page, block.fence, "the block checks nothing")
    if block.options.exits:
        yield _problem(page, block.fence, 'a check ends with status 0 where it holds: leave "check: exits" out')
    for step in steps:
        if _CANNOT_FAIL.search(step.statement.text):
            yield _problem(page, step.statement.place, "this check cannot fail")


def _steps_of(page: Page, block: Block) -> list[CommandLine]:
    return [step for step in page.walk.steps if step.block.fence == block.fence and step.block.text == block.text]


def _typed_in(page: Page, section: Section) -> list[CommandLine]:
    return [step for block in section.blocks() for step in _steps_of(page, block)]


def _sets_up_cleanly(step: CommandLine) -> bool:
    """Return whether a line that changes the shell (its folder, its environment) does only that."""
    setting_up = [skill_form.sets_shell_up(shape) for shape in step.statement.shapes]
    return all(setting_up) or not any(setting_up)


# ---------------------------------------------------------------- tables


def _metrics(page: Page, form: SkillForm, section: Section) -> Iterator[Problem]:
    yield from _table(page, section, skill_form.METRIC_COLUMNS)
    for row in _rows(section, skill_form.METRIC_COLUMNS):
        name, _, plausible, advice = row.texts
        yield from _one_command(page, row)
        if skill_form.plausible_range(plausible) is None:
            yield _problem(
                page,
                row.cells[2].place,
                f'"{plausible}" is no range: write "LOW to HIGH unit", "at least X unit" or "at most X unit"',
            )
        if not name:
            yield _problem(page, row.place, "the metric has no name")
        if len(advice.split()) < _LEAST_WORDS:
            yield _problem(
                page, row.cells[3].place, f'"{advice}" does not say what to do with a value outside the range'
            )


def _one_command(page: Page, row: TableRow) -> Iterator[Problem]:
    cell = row.cells[1]
    if len(cell.spans) != 1 or cell.spans[0].text != cell.text.strip():
        yield _problem(page, cell.place, 'the column "command" holds one code span, and nothing else')
        return
    block = next((b for b in page.document.metrics if b.place == cell.spans[0].place), None)
    if block and len(_steps_of(page, block)) != 1:
        yield _problem(page, cell.spans[0].place, "a metric's command is one command line")


def _failures(page: Page, form: SkillForm, section: Section) -> Iterator[Problem]:
    yield from _table(page, section, skill_form.FAILURE_COLUMNS)
    seen: set[str] = set()
    for row in _rows(section, skill_form.FAILURE_COLUMNS):
        symptom, cause, fix = row.texts
        spans = row.cells[0].spans
        if len(spans) != 1 or spans[0].text != symptom or not re.search(r"[A-Za-z]{3}", symptom):
            yield _problem(
                page, row.place, 'the column "symptom" holds one code span with what is printed, and nothing else'
            )
        elif symptom in seen:
            yield _problem(page, row.place, f'the symptom "{symptom}" stands twice')
        seen.add(symptom)
        if not cause:
            yield _problem(page, row.place, f'the symptom "{symptom}" has no cause')
        if not row.cells[2].spans or len(fix.split()) < _LEAST_WORDS:
            yield _problem(
                page, row.cells[2].place, f'"{fix}" is no fix: say what to do, with the command as a code span'
            )
        for span in row.cells[2].spans:
            first = span.text.split()[0] if span.text.split() else ""
            if skill_form.is_command(span.text) and not skill_form.knows_program(first) and "=" not in first:
                yield _problem(
                    page,
                    span.place,
                    f"{first} is not a program that pages call{nearest(first, skill_form.known_starts())}",
                )


def _rows(section: Section, columns: tuple[str, ...]) -> Iterator[TableRow]:
    """Yield the rows of a section's table that have all columns."""
    yield from (row for row in skill_form.rows_of(section)[1:] if len(row.cells) == len(columns))


def _table(page: Page, section: Section, columns: tuple[str, ...]) -> Iterator[Problem]:
    """A section's table has the columns that it should, and a row."""
    header, *rows = skill_form.rows_of(section) or [TableRow(section.heading.place, ())]
    if header.texts != columns:
        yield _problem(page, header.place, f"a table with the columns {', '.join(columns)} belongs here")
    elif not rows:
        yield _problem(page, header.place, "the table has no row")


# ---------------------------------------------------------------- the rest


def _refine(page: Page, form: SkillForm, section: Section) -> Iterator[Problem]:
    if not section.passages("item"):
        yield _problem(page, section.heading.place, "say in bullets how to get a better result, and when to stop")


def _time(page: Page, form: SkillForm, section: Section) -> Iterator[Problem]:
    text = " ".join(passage.text for passage in section.passages())
    if not re.search(r"\d", text) or not re.search(r"\b(seconds?|minutes?)\b", text):
        yield _problem(page, section.heading.place, "say how long it takes, in seconds or minutes")
    if not re.search(r"\bon an? \S+", text):
        yield _problem(page, section.heading.place, "say what it was measured on (on a ... machine)")


def _next(page: Page, form: SkillForm, section: Section) -> Iterator[Problem]:
    links: list[Link] = [link for passage in section.passages() for link in passage.links]
    later = sorted(name for name in page.neighbors if _FILE.fullmatch(name) and name[:2] > form.number)
    wanted = later[0] if later else CATALOGUE
    if len(links) != 1:
        yield _problem(page, section.heading.place, f"one sentence with one link leads to {wanted}")
    elif links[0].target.lower() != wanted:
        yield _problem(page, links[0].place, f"{links[0].target} is not the next skill: link to {wanted}")


def _is_skill(link: Link) -> bool:
    return bool(_FILE.fullmatch(link.target.partition("#")[0]))


_OF_SECTIONS: Mapping[str, Callable[[Page, SkillForm, Section], Iterator[Problem]]] = {
    PREREQUISITES: _prerequisites,
    STEPS: _steps,
    CRITERIA: _criteria,
    METRICS: _metrics,
    REFINE: _refine,
    FAILURES: _failures,
    TIME: _time,
    NEXT: _next,
}
