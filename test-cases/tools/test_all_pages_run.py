# SPDX-License-Identifier: Apache-2.0
"""The learning path's own pages, typed from the first command to the last, in a fresh clone in an empty home."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from support.pages import REPOSITORY

pytestmark = pytest.mark.network

PAGES = ("01-overview.md", "02-setup-and-model-onboarding.md", "03-pipeline-and-analysis.md", "04-agent-skills.md")
#: What only github.com, a phone or macOS can serve: everything else on the pages has to run here.
ELSEWHERE = re.compile(r"github\.com|phone|macOS")


@pytest.fixture(scope="module")
def told() -> str:
    """What run_pages.py says of all pages. They share one home, so the way is set up once.

    Clones are lent this environment's packages; the set-up of the script that is downloaded alone is not.
    """
    done = subprocess.run(
        [sys.executable, str(REPOSITORY / "tools" / "run_pages.py"), "--lend-packages"],
        capture_output=True,
        text=True,
        timeout=3000,
    )
    print(done.stdout)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr
    return done.stdout


def lines(told: str, outcome: str) -> list[str]:
    return re.findall(rf"^  {outcome} .*", told, re.MULTILINE)


def test_every_page_runs_and_nothing_fails(told: str) -> None:
    for page in PAGES:
        assert re.search(rf"^\S*{re.escape(page)}$", told, re.MULTILINE), page
    assert not lines(told, "failed") and not lines(told, "not reached")


def test_at_least_80_percent_of_the_command_lines_are_executed(told: str) -> None:
    found = re.search(r"^(\d+) of (\d+) command lines executed", told, re.MULTILINE)
    assert int(found[1]) / int(found[2]) >= 0.8


def test_what_is_not_executed_needs_what_a_plain_linux_lacks(told: str) -> None:
    others = [*lines(told, "checked"), *lines(told, "not here")]
    assert others and all(ELSEWHERE.search(line.rpartition("[")[2]) for line in others), others


def test_the_steps_of_the_whole_way_are_executed(told: str) -> None:
    executed = "\n".join(lines(told, "executed"))
    for script in (
        "setup_repo.sh",
        "run_quick_test.py",
        "export_model.py",
        "mac_pipeline.py",
        "preview_sme2.py",
        "generate_kernel_view.py",
        "compare_runs.py",
        "run_skill.py",
    ):
        assert script in executed, script


def test_every_output_on_the_pages_is_what_came_out(told: str) -> None:
    compared, not_compared = map(int, re.search(r"^(\d+) outputs compared, (\d+) not$", told, re.MULTILINE).groups())
    assert compared >= 20 and not_compared == 0


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
