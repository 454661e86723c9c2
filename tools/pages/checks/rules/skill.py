# SPDX-License-Identifier: Apache-2.0
"""The form of a skill: every section there, in order, with what a person or a program needs of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from model_profiling.errors import nearest
from tools.pages.checks import skill_sections, skill_tables
from tools.pages.checks.house_style import begins_with_verb
from tools.pages.checks.page import CheckedPage
from tools.pages.checks.skill_sections import CATALOGUE, SKILL_FILE, problem
from tools.pages.reading import skill_form
from tools.pages.reading.document import SKILL, Document, Heading, Passage
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
    PageSection,
    SkillForm,
)

#: What the open form asks for, so that a skill does not fill an assistant's memory.
_MAX_LINES = 500


def check(page: CheckedPage) -> Iterator[Problem]:
    """Check a skill's form; any other document has none to check."""
    if page.document.kind != SKILL:
        return
    form = skill_form.read_form(page.document)
    yield from _head(page, form)
    yield from _order(page)
    for title, of_section in _OF_SECTIONS.items():
        if title in form.sections:
            yield from of_section(page, form, form.sections[title])


def _head(page: CheckedPage, form: SkillForm) -> Iterator[Problem]:
    """What the file, its front matter and its length have to be."""
    document = page.document
    if not SKILL_FILE.fullmatch(document.path.name):
        yield problem(page, Position(1), f"{document.path.name}: a skill's file is NN_words_in_lower_case.md")
    head = document.front_matter
    values, places = ((head.values or {}), head.places) if head else ({}, {})
    metadata = values.get("metadata")
    order = metadata.get("order") if isinstance(metadata, dict) else None
    if order is not None and order != form.number:
        told = f'metadata: order is "{order}", the file\'s number is {form.number}'
        yield problem(page, places.get("metadata", Position(1)), told)
    if "Use when" not in str(values.get("description", "Use when")):
        told = 'the description does not say when to use it: add "Use when ..."'
        yield problem(page, places["description"], told)
    yield from _title(page)
    lines = document.text.count("\n")
    if lines > _MAX_LINES:
        yield problem(page, Position(_MAX_LINES), f"{lines} lines: a skill has at most {_MAX_LINES}")
    if document.settings.start_in:
        yield problem(page, Position(1), 'a skill starts in the kit\'s folder: leave "check: start-in" out')
    for name, other in page.neighbors.items():
        if other.kind == SKILL and name != document.path.name and skill_form.read_form(other).name == form.name:
            yield problem(page, Position(1), f"the name {form.name} is {name}'s too")
    yield from _in_catalogue(page, form)


def _title(page: CheckedPage) -> Iterator[Problem]:
    """One H1 begins the body, tells to do something, and a sentence follows it."""
    elements = page.document.elements
    titles = [heading for heading in page.document.every(Heading) if heading.level == 1]
    if len(titles) != 1 or elements[0] is not titles[0]:
        place = elements[0].place if elements else Position(1)
        yield problem(page, place, "the body begins with one H1, the skill's title")
    elif not begins_with_verb(titles[0].text):
        yield problem(
            page,
            titles[0].place,
            f'the title does not tell to do something: "{titles[0].text.partition(" ")[0]}" is not among the verbs '
            "in front_matter.yaml",
        )
    elif not isinstance(elements[1] if len(elements) > 1 else None, Passage):
        yield problem(page, titles[0].place, "no sentence after the title says what the skill is for")


def _in_catalogue(page: CheckedPage, form: SkillForm) -> Iterator[Problem]:
    """The catalogue of the folder names the skill and links to it."""
    catalogue = _catalogue(page)
    if catalogue is None:
        return
    links = [link for passage in catalogue.every(Passage) for link in passage.links]
    spans = [span.text for passage in catalogue.every(Passage) for span in passage.spans]
    if not any(link.target == page.document.path.name for link in links):
        yield problem(page, Position(1), f"{catalogue.name} does not link to this skill")
    if form.name not in spans:
        yield problem(page, Position(1), f"{catalogue.name} does not name {form.name}{nearest(form.name, spans)}")


def _catalogue(page: CheckedPage) -> Document | None:
    return next((document for name, document in page.neighbors.items() if name.lower() == CATALOGUE), None)


def _order(page: CheckedPage) -> Iterator[Problem]:
    headings = [heading for heading in page.document.every(Heading) if heading.level == 2]
    texts = [heading.text for heading in headings]
    for heading in headings:
        if heading.text not in SECTIONS:
            yield problem(
                page, heading.place, f'"{heading.text}" is no section of a skill{nearest(heading.text, SECTIONS)}'
            )
        elif texts.count(heading.text) > 1:
            yield problem(page, heading.place, f'the section "{heading.text}" stands twice')
    for title in SECTIONS:
        if title not in texts:
            yield problem(page, headings[-1].place if headings else Position(1), f'the section "{title}" is missing')
    known = [text for text in texts if text in SECTIONS]
    if sorted(known, key=SECTIONS.index) != known:
        yield problem(page, headings[0].place, f"the sections stand in another order than {', '.join(SECTIONS)}")
    for heading in page.document.every(Heading):
        if heading.level > 2 and _section_title(page, heading) != STEPS:
            yield problem(page, heading.place, "only the steps have headings of their own")


def _section_title(page: CheckedPage, heading: Heading) -> str:
    before = [h.text for h in page.document.every(Heading) if h.level == 2 and h.place < heading.place]
    return before[-1] if before else ""


_OF_SECTIONS: Mapping[str, Callable[[CheckedPage, SkillForm, PageSection], Iterator[Problem]]] = {
    PREREQUISITES: skill_sections.prerequisites,
    STEPS: skill_sections.steps,
    CRITERIA: skill_sections.criteria,
    METRICS: skill_tables.metrics,
    REFINE: skill_sections.refine,
    FAILURES: skill_tables.failures,
    TIME: skill_sections.time_taken,
    NEXT: skill_sections.next_skill,
}
