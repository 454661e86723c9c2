# SPDX-License-Identifier: Apache-2.0
"""The rules: one file each, and this list of them.

A rule's file has one public function, `check`, from a `CheckedPage` to the problems that it has. It goes
through ``page.every(Block)`` and the like, which leave out what a page's ``check: skip`` keeps from
being checked. The docstring of `check` is what the rule says of itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tools.pages.checks.page import CheckedPage
from tools.pages.checks.rules import code, front_matter, links, options, prose, skill, spans, structure
from tools.pages.reading.problems import Problem

Rule = Callable[[CheckedPage], Iterator[Problem]]

#: In the order in which a page is asked.
RULES: tuple[Rule, ...] = (
    options.check,
    front_matter.check,
    structure.check,
    prose.check,
    links.check,
    code.check,
    spans.check,
    skill.check,
)
