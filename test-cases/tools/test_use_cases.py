# SPDX-License-Identifier: Apache-2.0
"""The use-cases: in one form, in order by the checker, and every one run as a reader types it."""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path

import pytest
from support.pages import REPOSITORY
from support.setup import ShadowVenv

from tools.pages.checks.checker import Checker
from tools.pages.reading.document import Block, Document, Heading
from tools.pages.running import account
from tools.pages.running.engine import FAILED, NOT_REACHED, PageRun, chains, run_document
from tools.pages.running.workspace import new_workspace

FOLDER = REPOSITORY / "test-cases" / "use-cases"
USE_CASES = sorted(path for path in FOLDER.glob("*.md") if path.name != "readme.md")
NAMES = [path.stem for path in USE_CASES]
ANDROID = "06-android"
#: What says nothing, or what no two machines say alike.
SAYS_NOTHING = re.compile(r"adb devices|&\s*$|^kill ")


@pytest.fixture(scope="module")
def checker() -> Checker:
    return Checker.of(REPOSITORY)


def test_there_is_one_for_each_purpose_and_the_readme_lists_them() -> None:
    assert NAMES == [
        "01-smoke-test",
        "02-on-off-comparison",
        "03-kernel-evidence",
        "04-your-own-model",
        "05-regression-gate",
        ANDROID,
        "07-did-my-change-help",
        "08-fleet",
    ]
    listed = re.findall(
        r"^\| \[\d\d .+?\]\((.+?)\.md\) \|", (FOLDER / "readme.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert listed == NAMES


def test_the_checker_finds_nothing(checker: Checker) -> None:
    assert checker.check([checker.read(path) for path in [*USE_CASES, FOLDER / "readme.md"]]) == []


@pytest.mark.parametrize("path", USE_CASES, ids=NAMES)
def test_each_says_what_it_needs_what_to_type_what_comes_out_and_how_to_tell(path: Path, checker: Checker) -> None:
    page = checker.read(path)
    headings = [heading.text for heading in page.every(Heading)]
    wanted = ["What it needs", "Run it", "Check"]
    assert [text for text in headings if text in wanted] == wanted
    blocks = list(page.every(Block))
    for number, block in enumerate(blocks):
        if block.is_shell and not block.options.no_run and not SAYS_NOTHING.search(block.text):
            shown = blocks[number + 1] if number + 1 < len(blocks) else None
            assert shown and shown.language == "output", f"{path.name}:{block.place}: no output is shown"


@pytest.fixture(scope="module")
def runs(checker: Checker) -> list[PageRun]:
    """Every use-case, run in one home in the order that they ask for.

    Set-up finds its packages as links into this environment: test_ways_of_getting.py and
    test_quick_start.py download them.
    """
    if not shutil.which("aarch64-linux-gnu-g++"):
        reason = "no aarch64-linux-gnu-g++: run test-cases/install_system_packages.sh"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    (chain,) = chains([checker.read(path) for path in USE_CASES], checker)
    with new_workspace(REPOSITORY) as workspace:
        workspace.make_clone()
        ShadowVenv(workspace.clone / ".venv", workspace.clone)
        done = [run_document(page, checker, workspace) for page in chain]
    for run in done:
        account.show_run(run)
    return done


def problems_of(runs: list[PageRun]) -> list[str]:
    return [str(problem) for run in runs for problem in run.problems]


@pytest.mark.slow
def test_every_line_and_output_is_as_the_use_case_says(runs: list[PageRun]) -> None:
    assert problems_of(runs) == []
    assert not [line for run in runs for line in run.lines if line.outcome in (FAILED, NOT_REACHED)]
    assert sum(run.compared for run in runs) >= 15


@pytest.mark.slow
def test_at_least_80_percent_of_the_lines_are_executed(runs: list[PageRun]) -> None:
    assert account.share([line for run in runs for line in run.lines]) >= account.LEAST_SHARE


@pytest.mark.slow
def test_only_the_phone_s_use_case_leaves_lines_out(runs: list[PageRun]) -> None:
    def name(page: Document) -> str:
        return page.path.stem

    assert {name(run.document) for run in runs if account.share(run.lines) < 1} == {ANDROID}


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
