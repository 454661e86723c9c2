# SPDX-License-Identifier: Apache-2.0
"""The checker, checked: single faults put into the repository's pages, each of which it has to see.

In one process and on the changed page alone. The pages are the real ones, whichever there are, and
the samples; survivors are printed.
"""

from __future__ import annotations

import sys
from collections import Counter

import pytest
from support.page_edits import Fault, misspelt
from support.page_faults import faults
from support.pages import REPOSITORY, SAMPLE_PAGES, caught

from tools.pages.checks.checker import Checker
from tools.pages.reading.document import SKILL, Document

pytestmark = pytest.mark.slow

LEAST_FAULTS = 500
LEAST_CAUGHT = 0.99
#: What stands in a document that a command made: it cannot hold a fault that its freshness check does not see.
GENERATED = "<!-- Made by tools/make_reference.py"
#: Enough of every kind; more of the same would only take longer.
MOST_OF_A_KIND_ON_A_PAGE = 20
#: Skills have one form, so that one says what eight would.
MOST_OF_A_KIND_IN_A_SKILL = 3


@pytest.fixture(scope="module")
def checker() -> Checker:
    return Checker.of(REPOSITORY)


@pytest.fixture(scope="module")
def documents(checker: Checker) -> list[Document]:
    return [checker.read(path) for path in [*checker.default_pages(), *sorted(SAMPLE_PAGES.glob("*.md"))]]


def chosen(document: Document, checker: Checker) -> list[Fault]:
    most = MOST_OF_A_KIND_IN_A_SKILL if document.kind == SKILL else MOST_OF_A_KIND_ON_A_PAGE
    taken: Counter[str] = Counter()
    kept = []
    for fault in faults(document, checker):
        taken[fault.kind] += 1
        if taken[fault.kind] <= most:
            kept.append(fault)
    return kept


def test_untouched_pages_raise_no_alarm(checker: Checker, documents: list[Document]) -> None:
    assert [str(problem) for problem in checker.check(documents)] == []


def test_single_faults_are_caught(checker: Checker, documents: list[Document]) -> None:
    put, survivors = 0, []
    for document in documents:
        if GENERATED in document.text:
            continue
        for fault in chosen(document, checker):
            put += 1
            if not caught(fault, document, checker):
                survivors.append(fault)
    print(f"\n{put} faults, {len(survivors)} not caught", *survivors, sep="\n  ")
    assert put >= LEAST_FAULTS
    assert len(survivors) <= (1 - LEAST_CAUGHT) * put, "\n".join(map(str, survivors))


def test_the_generator_finds_room_for_every_kind_of_fault(checker: Checker) -> None:
    kinds = {fault.kind for path in SAMPLE_PAGES.glob("*.md") for fault in faults(checker.read(path), checker)}
    assert {
        "renamed script",
        "misspelt flag",
        "dropped flag",
        "dropped line",
        "wrong value",
        "broken link",
        "broken anchor",
        "missing image",
        "JSON without a comma",
        "misspelt key of a configuration",
        "import of nothing",
        "missing check",
        "missing output",
        "unclosed fence",
        "missing key",
        "file renamed in the repository",
        "misspelt comment",
    } <= kinds


def test_a_fault_changes_the_page(checker: Checker) -> None:
    for path in SAMPLE_PAGES.glob("*.md"):
        document = checker.read(path)
        for fault in faults(document, checker):
            assert fault.text != document.text and (fault.text or fault.gone or fault.lost_flag)


def test_a_slip_is_another_word() -> None:
    import random

    for word in ("dtype", "mac_pipeline.py", "--config", "ab"):
        slips = {misspelt(word, random.Random(seed)) for seed in range(30)}
        assert word not in slips


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
