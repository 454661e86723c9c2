# SPDX-License-Identifier: Apache-2.0
"""What keeps the house as it is: linters, types, layers, dependencies; and that every exception says why."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from support.kit import REPOSITORY

CODE = sorted(
    path
    for root in ("model_profiling", "tools", "test-cases", ".github")
    for path in (REPOSITORY / root).rglob("*.py")
    if not {"fixtures", "template", "vendor"} & set(path.parts)
)
HOOKS = {
    hook["id"]: hook["entry"].split()
    for repo in yaml.safe_load((REPOSITORY / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    for hook in repo["hooks"]
}
BINARIES = Path(sys.executable).parent


@pytest.mark.slow
@pytest.mark.parametrize("hook", HOOKS)
def test_the_code_is_as_its_guards_want_it(hook: str) -> None:
    """The same commands that a commit and the doc-lint workflow run."""
    program, *arguments = HOOKS[hook]
    done = subprocess.run(
        [BINARIES / Path(program).name, *arguments], cwd=REPOSITORY, capture_output=True, text=True, timeout=900
    )
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-1000:]}"


def test_the_workflow_runs_the_guards() -> None:
    jobs = yaml.safe_load((REPOSITORY / ".github/workflows/doc-lint.yml").read_text(encoding="utf-8"))["jobs"]
    commands = [step.get("run", "") for job in jobs.values() for step in job["steps"]]
    assert ".venv/bin/pre-commit run --all-files" in commands


_EXCEPTION = re.compile(r"#\s*(?:type:\s*ignore|noqa)\b(?P<codes>\[[\w, -]+\]|:\s*[A-Z0-9, ]+)?(?P<rest>.*)")


@pytest.mark.parametrize("path", CODE, ids=lambda path: path.relative_to(REPOSITORY).as_posix())
def test_an_exception_from_a_guard_names_its_rule_and_its_reason(path: Path) -> None:
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        match = _EXCEPTION.search(line)
        if match and not line.lstrip().startswith(('"', "'", "_EXCEPTION")):
            assert match["codes"], f"{path.name}:{number}: the exception names no rule"
            assert re.search(r"[#(]\s*\w+", match["rest"]), f"{path.name}:{number}: the exception gives no reason"


def _classes(paths: list[Path]) -> Iterator[tuple[str, Path]]:
    for path in paths:
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                yield node.name, path


def test_a_class_name_stands_for_one_thing() -> None:
    """Models are written as their papers call their parts, so theirs may meet names of the kit."""
    places = defaultdict(set)
    kit = [
        p for p in CODE if p.parts[len(REPOSITORY.parts)] in ("model_profiling", "tools") and "models" not in p.parts
    ]
    for name, path in _classes(kit):
        places[name].add(path.relative_to(REPOSITORY).as_posix())
    assert {name: sorted(paths) for name, paths in places.items() if len(paths) > 1} == {}


def test_what_the_guards_are_is_pinned() -> None:
    """A newer linter would find other things in the same code: its version is part of the rules."""
    project = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    pinned = set(re.findall(r'^ {4}"([a-z-]+)==[0-9.]+"', project, re.MULTILINE))
    assert {"ruff", "mypy", "import-linter", "deptry"} <= pinned
