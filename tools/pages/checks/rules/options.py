# SPDX-License-Identifier: Apache-2.0
"""The checker's own comments: understood, placed before something, and told to the reader where they must be."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from tools.pages.checks.page import CheckedPage
from tools.pages.reading.document import Block, Passage
from tools.pages.reading.problems import Problem


def check(page: CheckedPage) -> Iterator[Problem]:
    """Report what the lexer could not take, and comments that stand before the wrong thing."""
    for place, rule, message in page.document.faults:
        yield page.problem(place, rule, message)
    for element in page.document.elements:
        options = element.options
        if not isinstance(element, Block) and (options.no_run or options.save_as or options.exits):
            yield page.problem(options.place or element.place, "directive", "this comment stands before no code block")
        if isinstance(element, Block) and options.save_as:
            before = page.document.before(element)
            told = before.text if isinstance(before, Passage) else ""
            first_line = element.text.partition("\n")[0]
            name = posixpath.basename(options.save_as)
            if (
                options.save_as not in told
                and options.save_as not in first_line
                and not (name in told and "/" not in options.save_as)
            ):
                yield page.problem(
                    element.fence,
                    "directive",
                    f"the reader is not told to save this as {options.save_as}: "
                    "name it in the sentence before the block or in its first line",
                )
    for name in page.document.settings.after:
        if name not in page.neighbors:
            yield page.problem(
                page.document.elements[0].place, "directive", f'"check: after {name}" names no page of this folder'
            )
