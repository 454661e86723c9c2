# SPDX-License-Identifier: Apache-2.0
"""One thing that was looked at, and how it stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "optional", "missing", "broken"]
PROBLEMS: frozenset[State] = frozenset({"missing", "broken"})


@dataclass(frozen=True)
class Finding:
    """How one part of the set-up stands.

    `subject` is what was looked at ("torch", "config.schema.json"), `detail` says
    what was found there, `fix` what to do about it (empty when nothing has to be).
    """

    subject: str
    state: State
    detail: str
    fix: str = ""

    @property
    def is_problem(self) -> bool:
        return self.state in PROBLEMS

    def line(self) -> str:
        """Return the finding as one line for people: state, subject, detail, fix."""
        told = f"{self.detail}: {self.fix}" if self.fix else self.detail
        return f"  {self.state:<9}{self.subject:<16} {told}"
