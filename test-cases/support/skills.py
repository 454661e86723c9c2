# SPDX-License-Identifier: Apache-2.0
"""Tiny skills in a tiny checkout of their own, with the repository's tools in it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from support.pages import REPOSITORY
from tools.pages.checks.checker import Checker
from tools.skills.catalogue import chosen, skills
from tools.skills.chain import Chain
from tools.skills.showing import Screen

FOLDER = "agent_skill_ml_profiling"
NAMES = {"01": "write-the-log", "02": "count-the-log"}
FILES = {"01": "01_write_log.md", "02": "02_count_log.md"}

#: A skill in the form that the checker asks for.
_FORM = """---
name: {name}
description: Writes a log or counts it. Use when a test needs a skill.
license: Apache-2.0
compatibility: any system with a shell
metadata:
  order: "{one.number}"
---
{after}# Write the log

It shows how skills are run.

## Prerequisites

- A shell.

```bash
{one.check}
```

Where that fails, do [skill 01](01_write_log.md) first.

## Steps

### 1. Write a line

It goes to the end of the log.

```bash
{one.steps}
```

The output is similar to:

```output
{one.output}
```

## Success criteria

```bash
{one.criteria}
```

## Expected metrics

| metric | command | plausible | outside it |
|---|---|---|---|
{one.metrics}

## Refine and try again

- Write more lines.

## Failures

| symptom | cause | fix |
|---|---|---|
{one.failures}

## Time

Less than 1 second on a 2-core x86-64 virtual machine.

## Next skill

{one.next}
"""


@dataclass(frozen=True)
class Tiny:
    """A skill of a few lines; each field is one part of its text."""

    number: str = "01"
    check: str = "awk 1 /dev/null"
    steps: str = "echo one | tee -a log.txt"
    output: str = "one"
    criteria: str = "grep -q one log.txt"
    metrics: str = "| lines | `wc -l log.txt` | 1 to 3 lines | run step 1 again |"
    failures: str = "| `No such file` | the file is gone | `touch log.txt` makes it |"
    next: str = "[Count](02_count_log.md) what was written."

    @property
    def text(self) -> str:
        after = "" if self.number == "01" else "<!-- check: after 01_write_log.md -->\n\n"
        return _FORM.format(one=self, name=NAMES[self.number], after=after)


FIRST = Tiny()
SECOND = Tiny(
    "02",
    check="source .venv/bin/activate",
    steps="wc -l log.txt",
    output="1 log.txt",
    next="The [catalogue](readme.md) lists them.",
)
READY = Tiny(steps="mkdir -p .venv/bin\ntouch .venv/bin/activate\necho one | tee -a log.txt")
CATALOGUE = "# Skills\n\n- [Write](01_write_log.md): `write-the-log`\n- [Count](02_count_log.md): `count-the-log`\n"


def make_checkout(folder: Path, *tiny: Tiny) -> Path:
    """Make a git repository with the tools and these skills; 01 and 02 unless told otherwise."""
    root = folder / "kit"
    shutil.copytree(
        REPOSITORY / "tools",
        root / "tools",
        ignore=shutil.ignore_patterns("__pycache__", "figures", "site", "edgetam*"),
    )
    (root / ".gitignore").write_text("out_*/\n.venv/\n__pycache__/\nlog.txt\n", encoding="utf-8")
    (root / FOLDER).mkdir()
    (root / FOLDER / "readme.md").write_text(CATALOGUE, encoding="utf-8")
    for one in tiny or (READY, SECOND):
        write(root, one)
    git(root, "init", "--quiet")
    commit(root)
    return root


def write(root: Path, tiny: Tiny) -> Path:
    """Write one skill into a checkout."""
    path = root / FOLDER / FILES[tiny.number]
    path.write_text(tiny.text, encoding="utf-8")
    return path


def commit(root: Path) -> None:
    git(root, "add", "--all")
    git(
        root,
        "-c",
        "user.name=Reader",
        "-c",
        "user.email=reader@example.org",
        "commit",
        "--quiet",
        "--allow-empty",
        "-m",
        "skills",
    )


def git(root: Path, *words: str) -> None:
    subprocess.run(["git", "-C", str(root), *words], check=True, capture_output=True, timeout=60)


def run(root: Path, word: str = "01", restart: bool = False, fresh: bool = False) -> dict:
    """Run one skill, or all, in this process and return its result, or the last one's."""
    return run_all(root, word, restart, fresh)[-1]


def run_all(root: Path, word: str | None = None, restart: bool = False, fresh: bool = False) -> list[dict]:
    """Run one skill or all of a checkout in this process, saying what a person sees."""
    checker = Checker.of(root)
    catalogue = skills(checker)
    chain = Chain(checker, catalogue, [chosen(word, catalogue)] if word else catalogue, Screen())
    return chain.run_fresh() if fresh else chain.run_in_place(restart)


def outcomes(result: dict) -> list[str]:
    """Return what became of the lines of prerequisites, steps and criteria."""
    return [line["outcome"] for line in (*result["steps"], *result["criteria"])]


def log(root: Path) -> str:
    return (root / "log.txt").read_text(encoding="utf-8")


def arguments(root: Path, *words: object, tool: str = "run_skill.py") -> list[str]:
    return [sys.executable, str(root / "tools" / tool), *map(str, words)]


def command(
    root: Path, *words: object, tool: str = "run_skill.py", **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a command of the checkout's tools as somebody types it."""
    return subprocess.run(
        arguments(root, *words, tool=tool),
        capture_output=True,
        text=True,
        timeout=300,
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), **environment},
    )


def with_first(root: Path, **parts: str) -> Tiny:
    """Give the checkout a first skill with other parts, as its last commit."""
    first = replace(FIRST, **parts)
    write(root, first)
    commit(root)
    return first
