# SPDX-License-Identifier: Apache-2.0
"""The shape of a learning path's page: headings, fences with their lead-in, lengths, proofs.

House rules of Arm learning paths, and of the kit: every section that types something shows
what one should see and has one check.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from model_profiling.errors import nearest
from tools.pages.checks.house_style import LEAD_IN
from tools.pages.checks.page import CheckedPage
from tools.pages.reading.document import CONTENT, NEXT_STEPS, SKILL, Block, Document, Heading, Passage
from tools.pages.reading.problems import Position, Problem
from tools.pages.reading.skill_form import PageSection, sections

CLOSING = "What you've accomplished and what's next"
CHECK = "Check:"
LANGUAGES = ("bash", "console", "python", "json", "yaml", "text", "output")
_MAX_PAGE_WORDS, _MAX_SECTION_WORDS, _MAX_WORDS_WITHOUT_CODE = 3500, 700, 300
_RUN_INTO = re.compile(r"^```\w", re.MULTILINE)
_PROMPT = re.compile(r"^(\$|>|%|#) \S")


def check(page: CheckedPage) -> Iterator[Problem]:
    """Check a page's shape. What is no learning-path page is asked for closed fences alone."""
    document = page.document
    for block in document.every(Block):
        if not block.closed:
            yield page.problem(block.fence, "fence", "the code fence is never closed")
        elif (
            _RUN_INTO.search(block.text)
            and _opening(document, block).startswith("```")
            and not _opening(document, block).startswith("````")
        ):
            yield page.problem(block.fence, "fence", "the code fence runs into the next one: close it")
    if document.kind == NEXT_STEPS and document.elements:
        yield page.problem(document.elements[0].place, "structure", "this page has front matter and nothing else")
    if document.kind in (CONTENT, SKILL):
        yield from _fences(page)
    if document.kind != CONTENT:
        return
    yield from _headings(page)
    yield from _lengths(page)
    for section in sections(document):
        yield from _proofs(page, section)


def _opening(document: Document, block: Block) -> str:
    return document.text.splitlines()[block.fence.line - 1].strip()


# ---------------------------------------------------------------- headings


def _headings(page: CheckedPage) -> Iterator[Problem]:
    document = page.document
    headings = list(document.every(Heading))
    if not document.elements or not isinstance(document.elements[0], Heading):
        place = document.elements[0].place if document.elements else Position(1)
        yield page.problem(place, "heading", "the body does not begin with an H2 (##)")
    level = 1
    for heading in headings:
        if heading.level == 1:
            yield page.problem(heading.place, "heading", "an H1 in the body: the title is the H1, begin with ##")
        elif heading.level > level + 1:
            yield page.problem(heading.place, "heading", f"the heading skips a level: H{heading.level} under H{level}")
        level = max(heading.level, 2)
        yield from _heading(page, heading)
    last = [h for h in headings if h.level == 2][-1:]
    if not last or last[0].text.replace("\u2019", "'") != CLOSING:
        place = last[0].place if last else Position(1)
        yield page.problem(place, "heading", f'the page does not close with the section "{CLOSING}"')
    seen: set[str] = set()
    for heading in headings:
        if heading.text in seen:
            yield page.problem(heading.place, "heading", f'the heading "{heading.text}" stands twice')
        seen.add(heading.text)


def _heading(page: CheckedPage, heading: Heading) -> Iterator[Problem]:
    if re.match(r"(step\s+)?\d+[.:)]?\s", heading.text, re.IGNORECASE):
        yield page.problem(heading.place, "heading", "headings carry no numbers")
    if heading.text.endswith((".", ":")):
        yield page.problem(heading.place, "heading", f'the heading ends in "{heading.text[-1]}"')
    words = [w for w in heading.text.split()[1:] if re.fullmatch(r"[A-Z][a-z]{3,}", w) and w not in _NAMES]
    if len(words) >= 2 or heading.text[:1].islower():
        yield page.problem(heading.place, "heading", f'"{heading.text}" is not in sentence case')


#: Names that keep their capital in a heading.
_NAMES = frozenset(
    {
        "Arm",
        "Android",
        "Linux",
        "Python",
        "Apple",
        "Learning",
        "Path",
        "Paths",
        "Debian",
        "Ubuntu",
        "Markdown",
        "Perfetto",
        "Fedora",
        "Windows",
        "Google",
        "Cortex",
    }
)


# ---------------------------------------------------------------- fences


def _fences(page: CheckedPage) -> Iterator[Problem]:
    for block in page.every(Block):
        if block.language not in LANGUAGES:
            told = nearest(block.language, LANGUAGES) if block.language else ""
            named = block.language or "no language"
            yield page.problem(
                block.fence, "fence", f"the fence names {named}{told or ': use ' + ', '.join(LANGUAGES)}"
            )
        if not block.text.strip():
            yield page.problem(block.fence, "fence", "the code block is empty")
        before = page.document.before(block)
        if block.language == "output":
            if not isinstance(before, Passage) or not before.text.rstrip().endswith(LEAD_IN):
                yield page.problem(block.fence, "output", f'an output block is led in by "{LEAD_IN}"')
        elif not isinstance(before, Passage) and not block.tab and page.document.kind == CONTENT:
            yield page.problem(block.fence, "fence", "say in a sentence what the block does before it")
        if block.is_shell:
            prompts = (n for n, line in enumerate(block.text.splitlines()) if _PROMPT.match(line) and line[0] == "$")
            for number in prompts:
                yield page.problem(
                    Position(block.place.line + number), "fence", "leave the prompt out: readers copy it"
                )
    elements = page.document.elements
    for element, after in zip(elements, (*elements[1:], None), strict=False):
        if (
            isinstance(element, Passage)
            and element.text.rstrip().endswith(LEAD_IN)
            and not (isinstance(after, Block) and after.language == "output")
        ):
            yield page.problem(element.place, "output", f'no output block follows "{LEAD_IN}"')


# ---------------------------------------------------------------- lengths


def _lengths(page: CheckedPage) -> Iterator[Problem]:
    total = between = 0
    blocks = any(page.document.every(Block))
    for element in page.document.elements:
        if isinstance(element, Passage):
            total += element.words
            between += element.words
            if blocks and between > _MAX_WORDS_WITHOUT_CODE >= between - element.words:
                yield page.problem(
                    element.place, "length", f"more than {_MAX_WORDS_WITHOUT_CODE} words since the last code sample"
                )
        elif isinstance(element, Block):
            between = 0
        elif element.text.replace("\u2019", "'") == CLOSING:
            blocks = False  # what closes a page has no samples
    if total > _MAX_PAGE_WORDS:
        yield page.problem(
            page.document.elements[0].place, "length", f"{total:,} words: a page has under {_MAX_PAGE_WORDS:,}"
        )
    for section in sections(page.document):
        words = sum(e.words for e in section.elements if isinstance(e, Passage))
        if words > _MAX_SECTION_WORDS:
            yield page.problem(
                section.heading.place, "length", f"{words} words: a section has under {_MAX_SECTION_WORDS}"
            )


# ---------------------------------------------------------------- proofs


def _proofs(page: CheckedPage, section: PageSection) -> Iterator[Problem]:
    """A section that types something shows what one should see and has one check."""
    typed = [e for e in section.elements if isinstance(e, Block) and e.is_shell]
    if not typed or section.heading.options.skip:
        return
    if not any(isinstance(e, Block) and e.language == "output" for e in section.elements):
        yield page.problem(
            section.heading.place,
            "proof",
            f'"{section.heading.text}" does not show what one should see: add "{LEAD_IN}" and an output block',
        )
    checks = [e for e in section.elements if isinstance(e, Passage) and e.text.startswith(CHECK)]
    if not checks:
        yield page.problem(
            section.heading.place,
            "proof",
            f'"{section.heading.text}" has no check: add a paragraph that begins **{CHECK}**',
        )
    for passage in checks:
        if len(passage.text.split()) < 4:
            yield page.problem(
                passage.place, "proof", "the check says nothing: name what to look at and what it has to be"
            )
