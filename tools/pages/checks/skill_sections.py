# SPDX-License-Identifier: Apache-2.0
"""The sections of a skill: what a person or a program needs of each."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from tools.pages.checks.house_style import LEAD_IN, begins_with_verb
from tools.pages.checks.page import CheckedPage
from tools.pages.reader.following import CommandLine
from tools.pages.reading import skill_form
from tools.pages.reading.document import Block, Element, Heading, Link, Passage
from tools.pages.reading.problems import Position, Problem
from tools.pages.reading.skill_form import PageSection, SkillForm

ACTIVATE = "source .venv/bin/activate"
CATALOGUE = "readme.md"
_MAX_SENTENCES, _LEAST_WORDS = 3, 3
SKILL_FILE = re.compile(r"\d\d_[a-z0-9_]+\.md")
_CANNOT_FAIL = re.compile(r"(\|\||;)\s*(true|:|echo\b.*)\s*$")


def problem(page: CheckedPage, place: Position, message: str) -> Problem:
    """Return a problem of the rule of skills."""
    return page.problem(place, "skill", message)


def prerequisites(page: CheckedPage, form: SkillForm, section: PageSection) -> Iterator[Problem]:
    blocks = section.blocks()
    if not section.passages("item"):
        yield problem(page, section.heading.place, "the prerequisites are a bullet list of what has to be there")
    if len(blocks) != 1:
        yield problem(page, section.heading.place, f"one bash block checks the prerequisites; here are {len(blocks)}")
        return
    yield from _checks(page, blocks[0])
    first = next((step.statement.text for step in steps_of(page, blocks[0])), "")
    if form.number != "01" and first != ACTIVATE:
        yield problem(page, blocks[0].place, f'the check begins with "{ACTIVATE}"')
    told = [p for p in section.passages("paragraph") if p.place > blocks[0].place]
    if not told:
        yield problem(page, section.heading.place, "no sentence after the check says what to do where it fails")
    elif form.number != "01" and not any(_is_skill(link) for passage in told for link in passage.links):
        yield problem(page, told[0].place, "the sentence after the check links to no skill that helps")


def steps(page: CheckedPage, form: SkillForm, section: PageSection) -> Iterator[Problem]:
    first = section.elements[0] if section.elements else None
    if not isinstance(first, Heading):
        yield problem(page, section.heading.place, 'the steps begin with "### 1. ..."')
    parts: list[list[Element]] = []
    for element in section.elements:
        if isinstance(element, Heading):
            parts.append([element])
        elif parts:
            parts[-1].append(element)
    for number, part in enumerate(parts, 1):
        yield from _step(page, number, part)
    for step in _typed_in(page, section):
        if not _sets_up_cleanly(step):
            yield problem(
                page,
                step.statement.place,
                "a line that sets the shell up does nothing else: a run that goes on repeats it",
            )


def _step(page: CheckedPage, number: int, part: Sequence[Element]) -> Iterator[Problem]:
    heading, *rest = part
    assert isinstance(heading, Heading)  # each part begins with one
    numbered = re.fullmatch(r"(\d+)\. (\S.*)", heading.text)
    if heading.level != 3:
        yield problem(page, heading.place, "a step's heading is an H3 (###)")
    if not numbered or int(numbered[1]) != number:
        yield problem(page, heading.place, f'the heading of this step begins with "{number}. "')
    elif not begins_with_verb(numbered[2]):
        yield problem(
            page,
            heading.place,
            f'the step does not tell to do something: "{numbered[2].split()[0]}" is not among the verbs '
            "in front_matter.yaml",
        )
    typed = [e for e in rest if isinstance(e, Block) and e.is_shell]
    if not rest or not isinstance(rest[0], Passage):
        yield problem(page, heading.place, "no sentence says what the step does")
    if not typed:
        yield problem(page, heading.place, "the step types nothing: add a bash block")
    elif not any(isinstance(e, Block) and e.language == "output" for e in rest):
        yield problem(
            page, heading.place, f'the step does not show what one should see: add "{LEAD_IN}" and an output block'
        )
    before = [
        e
        for e in rest
        if isinstance(e, Passage) and e.container == "paragraph" and (not typed or e.place < typed[0].place)
    ]
    sentences = [s for p in before for s in re.split(r"(?<=[.!?:])\s+", p.text.strip()) if s]
    if len(sentences) > _MAX_SENTENCES:
        yield problem(
            page, before[0].place, f"{len(sentences)} sentences before the step's commands: at most {_MAX_SENTENCES}"
        )


def criteria(page: CheckedPage, form: SkillForm, section: PageSection) -> Iterator[Problem]:
    blocks = section.blocks()
    if len(blocks) != 1:
        yield problem(page, section.heading.place, f"one bash block holds the success criteria; here are {len(blocks)}")
    for block in blocks:
        yield from _checks(page, block)


def _checks(page: CheckedPage, block: Block) -> Iterator[Problem]:
    """Every line of a gate can fail, and every one runs."""
    steps = steps_of(page, block)
    if not steps:
        yield problem(page, block.fence, "the block checks nothing")
    if block.options.exits:
        yield problem(page, block.fence, 'a check ends with status 0 where it holds: leave "check: exits" out')
    for step in steps:
        if _CANNOT_FAIL.search(step.statement.text):
            yield problem(page, step.statement.place, "this check cannot fail")


def steps_of(page: CheckedPage, block: Block) -> list[CommandLine]:
    return [step for step in page.walk.steps if step.block.fence == block.fence and step.block.text == block.text]


def _typed_in(page: CheckedPage, section: PageSection) -> list[CommandLine]:
    return [step for block in section.blocks() for step in steps_of(page, block)]


def _sets_up_cleanly(step: CommandLine) -> bool:
    """Return whether a line that changes the shell (its folder, its environment) does only that."""
    setting_up = [skill_form.sets_shell_up(shape) for shape in step.statement.shapes]
    return all(setting_up) or not any(setting_up)


def refine(page: CheckedPage, form: SkillForm, section: PageSection) -> Iterator[Problem]:
    if not section.passages("item"):
        yield problem(page, section.heading.place, "say in bullets how to get a better result, and when to stop")


def time_taken(page: CheckedPage, form: SkillForm, section: PageSection) -> Iterator[Problem]:
    text = " ".join(passage.text for passage in section.passages())
    if not re.search(r"\d", text) or not re.search(r"\b(seconds?|minutes?)\b", text):
        yield problem(page, section.heading.place, "say how long it takes, in seconds or minutes")
    if not re.search(r"\bon an? \S+", text):
        yield problem(page, section.heading.place, "say what it was measured on (on a ... machine)")


def next_skill(page: CheckedPage, form: SkillForm, section: PageSection) -> Iterator[Problem]:
    links: list[Link] = [link for passage in section.passages() for link in passage.links]
    later = sorted(name for name in page.neighbors if SKILL_FILE.fullmatch(name) and name[:2] > form.number)
    wanted = later[0] if later else CATALOGUE
    if len(links) != 1:
        yield problem(page, section.heading.place, f"one sentence with one link leads to {wanted}")
    elif links[0].target.lower() != wanted:
        yield problem(page, links[0].place, f"{links[0].target} is not the next skill: link to {wanted}")


def _is_skill(link: Link) -> bool:
    return bool(SKILL_FILE.fullmatch(link.target.partition("#")[0]))
