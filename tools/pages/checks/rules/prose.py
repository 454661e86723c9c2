# SPDX-License-Identifier: Apache-2.0
"""Words of a learning path's page: the house style, as far as a program can judge it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tools.pages.checks.page import CheckedPage
from tools.pages.reading.document import CONTENT, LANDING, Heading, Passage
from tools.pages.reading.problems import Position, Problem

_MAX_MEAN_SENTENCE = 20
_LEAST_SENTENCES = 5
#: Words that tell readers how they should feel about a step.
_BANNED = ("simply", "just", "obviously", "easily", "of course")
#: Spelling and names: what stands on the left is written as on the right.
_INSTEAD = {
    "ARM": "Arm",
    "colour": "color",
    "behaviour": "behavior",
    "optimise": "optimize",
    "optimised": "optimized",
    "optimisation": "optimization",
    "initialise": "initialize",
    "analyse": "analyze",
    "analysed": "analyzed",
    "centre": "center",
    "licence": "license",
    "grey": "gray",
    "neighbour": "neighbor",
    "normalise": "normalize",
    "quantise": "quantize",
    "quantised": "quantized",
    "quantisation": "quantization",
    "summarise": "summarize",
    "recognise": "recognize",
    "visualise": "visualize",
    "favour": "favor",
    "modelling": "modeling",
    "cancelled": "canceled",
    "learning path": "Learning Path",
    "Learning path": "Learning Path",
    "macos": "macOS",
    "Mac OS": "macOS",
    "Pytorch": "PyTorch",
    "Executorch": "ExecuTorch",
    "ExecuTORCH": "ExecuTorch",
    "android": "Android",
    "do not": "don't",
    "does not": "doesn't",
    "did not": "didn't",
    "is not": "isn't",
    "are not": "aren't",
    "cannot": "can't",
    "will not": "won't",
    "was not": "wasn't",
}
#: The house style writes numerals from 6 on.
_NUMBERS = ("six", "seven", "eight", "nine", "ten", "eleven", "twelve", "fifteen", "twenty", "thirty", "hundred")
_NUMBER_WORDS = re.compile(rf"\b({'|'.join(_NUMBERS)})\b", re.IGNORECASE)
_BANNED_WORDS = re.compile(rf"\b({'|'.join(_BANNED)})\b", re.IGNORECASE)
_WRONG = re.compile(rf"(?<![\w/.-])({'|'.join(map(re.escape, _INSTEAD))})(?![\w/-])")
_TWICE = re.compile(r"\b([A-Za-z]+) \1\b", re.IGNORECASE)
_THIRD_PERSON = re.compile(r"\b(the user|users|we|our|let's|us)\b", re.IGNORECASE)
_OPEN_MARKS = re.compile(r"\b(TODO|FIXME|TBD|XXX|lorem ipsum)\b")


def check(page: CheckedPage) -> Iterator[Problem]:
    """Check the words of passages and headings."""
    if page.document.kind not in (CONTENT, LANDING):
        return
    for element in page.document.elements:
        if isinstance(element, (Passage, Heading)) and not element.options.skip:
            text = element.prose if isinstance(element, Passage) else element.text
            yield from _words(page, text, element.place)
    yield from _sentences(page)


def check_text(page: CheckedPage, text: str, place: Position) -> Iterator[Problem]:
    """Check words that stand outside of a page's body, in its front matter."""
    yield from _words(page, text, place)


def _words(page: CheckedPage, text: str, start: Position) -> Iterator[Problem]:
    def at(match: re.Match[str]) -> Position:
        return _find(page, start, match[0])

    for match in _BANNED_WORDS.finditer(text):
        yield page.problem(at(match), "word", f'leave out "{match[0]}"')
    for match in _WRONG.finditer(text):
        yield page.problem(at(match), "word", f'write "{_INSTEAD[match[0]]}" for "{match[0]}"')
    for match in _NUMBER_WORDS.finditer(text):
        yield page.problem(at(match), "word", f'write "{match[0]}" as a numeral')
    for match in _THIRD_PERSON.finditer(text):
        if match[0] != "US":
            yield page.problem(at(match), "word", f'speak to the reader: you, not "{match[0]}"')
    for match in _TWICE.finditer(text):
        yield page.problem(at(match), "word", f'"{match[1]}" stands twice')
    for match in _OPEN_MARKS.finditer(text):
        yield page.problem(at(match), "word", f'"{match[0]}" is left on the page')


def _find(page: CheckedPage, start: Position, words: str) -> Position:
    """Return where words stand in the source, from the line their passage begins in."""
    lines = page.document.text.splitlines()
    for number in range(start.line, min(start.line + 40, len(lines) + 1)):
        column = lines[number - 1].find(words)
        if column >= 0:
            return Position(number, column + 1)
    return start


def _sentences(page: CheckedPage) -> Iterator[Problem]:
    """The page's sentences are under 20 words on average; table cells and lists are no sentences."""
    lengths = [
        len(sentence.split())
        for passage in page.document.every(Passage)
        if passage.container == "paragraph"
        for sentence in re.split(r"(?<=[.!?:])\s+", passage.text)
        if len(sentence.split()) > 2
    ]
    if len(lengths) >= _LEAST_SENTENCES and sum(lengths) / len(lengths) >= _MAX_MEAN_SENTENCE:
        yield page.problem(
            page.document.elements[0].place,
            "length",
            f"sentences have {sum(lengths) / len(lengths):.1f} words on average: under {_MAX_MEAN_SENTENCE}",
        )
