# SPDX-License-Identifier: Apache-2.0
"""What the commands on pages share: which documents their arguments name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from model_profiling.console import say
from model_profiling.errors import UserError
from model_profiling.processes import run_child
from tools.pages.checks.checking import Checker
from tools.pages.reading.document import Document

#: The repository that these tools belong to.
REPOSITORY = Path(__file__).resolve().parents[3]


def documents(checker: Checker, paths: Sequence[Path], default: Sequence[Path]) -> list[Document]:
    """Return the documents that `paths` name, folders standing for the Markdown files in them.

    Raises
    ------
    UserError : a path does not exist, or a folder has no Markdown file.
    """
    if not paths:
        return [checker.read(path) for path in default]
    found: list[Path] = []
    for path in paths:
        inside = sorted(path.rglob("*.md")) if path.is_dir() else [path]
        if not path.exists():
            raise UserError(f"{path} does not exist", "on the command line", "name a Markdown file or a folder of them")
        if not inside:
            raise UserError(f"{path} holds no Markdown file", "on the command line", "name a folder of pages")
        found += inside
    return [checker.read(path) for path in dict.fromkeys(p.resolve() for p in found)]


def tell_of_changes() -> None:
    """A clone has the last commit: say so where the working copy differs from it."""
    done = run_child(["git", "-C", str(REPOSITORY), "status", "--porcelain"], timeout_s=60)
    changed = len(done.output.splitlines()) if done.ok else 0
    if changed:
        say(
            f"note: {changed} file{' differs' if changed == 1 else 's differ'} from the last commit, which is what a reader clones; "
            "the pages themselves are read as they are"
        )
