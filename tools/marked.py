# SPDX-License-Identifier: Apache-2.0
"""A part of a page that a command makes: what stands between its two marks."""

from __future__ import annotations

from pathlib import Path

from model_profiling.errors import UserError
from tools import REPOSITORY

#: Where models are exported and what of them reaches SME2.
ONBOARDING_PAGE = (
    REPOSITORY
    / "content/learning-paths/embedded-and-microcontrollers/sme-executorch-profiling/02-setup-and-model-onboarding.md"
)


def marks(command: str) -> tuple[str, str]:
    """Return the comments between which stands what `command` makes."""
    return f"<!-- {command}: begin -->", f"<!-- {command}: end -->"


def with_part(page: Path, command: str, part: str) -> str:
    """Return a page's text with `part` between the marks of `command`.

    Raises
    ------
    UserError : the page has no such marks.
    """
    begin, end = marks(command)
    before, begins, rest = page.read_text(encoding="utf-8").partition(begin)
    _, ends, after = rest.partition(end)
    if not begins or not ends:
        raise UserError("the page has no place for the table", f"in {page}", f"put {begin} and {end} where it belongs")
    return f"{before}{begin}\n{part}\n{end}{after}"
