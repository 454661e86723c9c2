# SPDX-License-Identifier: Apache-2.0
"""Which skills there are, and which one somebody means."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from model_profiling.errors import UserError, nearest
from tools.pages.checks.checker import Checker
from tools.pages.checks.rules import skill as form_check
from tools.pages.reading.skill_form import SkillForm, read_form

FOLDER = "agent_skill_ml_profiling"


def skills(checker: Checker) -> list[SkillForm]:
    """Return the repository's skills in their order.

    Raises
    ------
    UserError : there is none.
    """
    names = sorted(name for name in checker.repository.files if re.fullmatch(rf"{FOLDER}/\d\d_[^/]+\.md", name))
    if not names:
        raise UserError(
            "there are no skills", f"in {checker.repository.root / FOLDER}", "run this from a whole checkout"
        )
    return [read_form(checker.read(checker.repository.root / name)) for name in names]


def chosen(word: str, catalogue: Sequence[SkillForm]) -> SkillForm:
    """Return the skill that `word` names: its number, its file or its name.

    Raises
    ------
    UserError : there is no such skill.
    """
    number = word.zfill(2) if word.isdecimal() else word
    for form in catalogue:
        if (
            number in (form.number, form.name, form.document.path.name, form.document.path.stem)
            or Path(word).resolve() == form.document.path
        ):
            return form
    known = [name for form in catalogue for name in (form.number, form.name, form.document.path.name)]
    raise UserError(
        f"{word} is no skill{nearest(word, known)}",
        "on the command line of run_skill.py",
        f"name one of {', '.join(form.number for form in catalogue)}",
    )


def require_form(form: SkillForm, checker: Checker) -> None:
    """Raise `UserError` where a skill lacks what a run needs."""
    problem = next(iter(sorted(form_check.check(checker.page(form.document)))), None)
    if problem:
        raise UserError(
            f"the skill does not have the form of one ({problem.message})",
            f"at {problem.path}:{problem.place}",
            "correct it; tools/check_pages.py names everything",
        )


def after(form: SkillForm, catalogue: Sequence[SkillForm]) -> SkillForm | None:
    """Return the skill that comes after one."""
    later = [other for other in catalogue if other.number > form.number]
    return later[0] if later else None
