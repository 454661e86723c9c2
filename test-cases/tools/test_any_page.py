# SPDX-License-Identifier: Apache-2.0
"""Any text is read to its end: no page breaks the checker."""

from __future__ import annotations

import random
import re
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.pages import REPOSITORY, SAMPLE_PAGES

from tools.pages.checks.checker import Checker
from tools.pages.reading.document import Block
from tools.pages.reading.lexer import read_document
from tools.pages.reading.problems import Position
from tools.pages.reading.shell import commands
from tools.pages.reading.shell_parser import parse

PAGE = (SAMPLE_PAGES / "02-compare-operators.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def checker() -> Checker:
    return Checker.of(REPOSITORY)


# ---------------------------------------------------------------- any text


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.sampled_from(
            PAGE.splitlines()
            + [
                "```",
                "~~~",
                "---",
                '{{< tab header="x" >}}',
                "{{% /notice %}}",
                "<!-- check: set a=b -->",
                "| a | b |",
                "> x",
                "\t- y",
                "[",
                "![](",
                "``",
                "$(",
                "<<EOF",
                "é",
            ]
        ),
        max_size=30,
    )
)
def test_any_lines_in_any_order_are_read(lines: list[str]) -> None:
    document = read_document(SAMPLE_PAGES / "x.md", "x.md", "\n".join(lines))
    for element in document.elements:
        assert 1 <= element.place.line <= len(lines) + 1
    for block in document.every(Block):
        parse(block.text, block.place, block.values)


@settings(max_examples=200, deadline=None)
@given(
    st.text(st.sampled_from("abc $(){}<>|&;'\"\\\n*?[]=#~`é/-0"), max_size=60).filter(
        lambda text: not re.search("<[a-z]", text)
    )
)
def test_any_text_is_taken_for_bash_and_every_word_has_its_place(text: str) -> None:
    script = parse(text, Position(10, 3), {})
    lines = text.split("\n")
    for statement in script.statements:
        for command in commands(statement.shapes):
            for word in command.words:
                line = lines[word.place.line - 10]
                assert line[word.place.column - 3 :].startswith(word.raw.split("\n")[0])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 10**6), edits=st.integers(0, 12))
def test_any_damage_to_a_page_is_told_and_nothing_breaks(seed: int, edits: int, checker: Checker) -> None:
    chance, lines = random.Random(seed), PAGE.splitlines()
    for _ in range(edits):
        at, other = chance.randrange(len(lines)), chance.randrange(len(lines))
        lines[at] = chance.choice(
            (lines[other], lines[at][: chance.randrange(len(lines[at]) + 1)], lines[at] + lines[other], "")
        )
    for problem in checker.check([read_document(SAMPLE_PAGES / "02-compare-operators.md", "x.md", "\n".join(lines))]):
        assert (
            problem.message
            and "\n" not in problem.message
            and 1 <= problem.place.line <= len(lines) + 1
            and problem.place.column >= 1
        )


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
