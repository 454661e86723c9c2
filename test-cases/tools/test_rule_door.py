# SPDX-License-Identifier: Apache-2.0
"""A rule of the page checker is added with its file and the list: it reports, is kept from a block, and is listed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.kit import REPOSITORY

RULES = Path("tools/pages/checks/rules")
RULE = '''# SPDX-License-Identifier: Apache-2.0
"""Blocks of text are short."""

from __future__ import annotations

from collections.abc import Iterator

from tools.pages.checks.page import CheckedPage
from tools.pages.reading.document import Block
from tools.pages.reading.problems import Problem


def check(page: CheckedPage) -> Iterator[Problem]:
    """Report each block of text that has more than two lines."""
    for block in page.every(Block):
        if block.language == "text" and block.text.count("\\\\n") > 2:
            yield page.problem(block.fence, "shortness", "a block of text has at most two lines")
'''.replace("\\\\n", "\\n")
BLOCK = "```text\na\nb\nc\n```\n"


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the repository's tools with one rule more: a new file, and its name in the list."""
    root = tmp_path_factory.mktemp("scratch")
    shutil.copytree(REPOSITORY / "tools", root / "tools", ignore=shutil.ignore_patterns("__pycache__"))
    for folder in ("model_profiling", "content", "test-cases"):
        (root / folder).symlink_to(REPOSITORY / folder)
    (root / RULES / "shortness.py").write_text(RULE, encoding="utf-8")
    listed = root / RULES / "__init__.py"
    text = listed.read_text(encoding="utf-8")
    assert text.count(" prose, skill") == text.count("    skill.check,\n") == 1
    text = text.replace(" prose, skill", " prose, shortness, skill")
    listed.write_text(text.replace("    skill.check,\n", "    skill.check,\n    shortness.check,\n"), encoding="utf-8")
    return root


def python(root: Path, *words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *map(str, words)],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
    )


def test_it_reports_under_its_name(scratch: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(BLOCK, encoding="utf-8")
    told = python(scratch, "tools/check_pages.py", page)
    assert told.returncode == 2, told.stderr
    assert told.stdout.splitlines()[0] == f"{page}:1:1: error: a block of text has at most two lines"
    problems = json.loads(python(scratch, "tools/check_pages.py", "--json", page).stdout)["problems"]
    assert [problem["rule"] for problem in problems] == ["shortness"]


def test_a_page_keeps_it_from_a_block_with_a_reason(scratch: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"<!-- check: skip a long quotation -->\n{BLOCK}", encoding="utf-8")
    told = python(scratch, "tools/check_pages.py", page)
    assert told.returncode == 0, told.stdout + told.stderr
    assert f"{page}:1:1: note: not checked: a long quotation" in told.stdout.splitlines()


def test_it_is_listed_with_what_it_says_of_itself(scratch: Path) -> None:
    code = (
        "from tools.pages.checks.rules import RULES\n"
        "print(*(rule.__doc__.splitlines()[0] for rule in RULES), sep='\\n')"
    )
    listed = python(scratch, "-c", code).stdout.splitlines()
    assert "Report each block of text that has more than two lines." in listed
    assert len(listed) == len(list((scratch / RULES).glob("*.py"))) - 1
