# SPDX-License-Identifier: Apache-2.0
"""What a validator found: one finding a line, each naming its check, and the exit status it means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from model_profiling.console import say
from model_profiling.errors import UserError, one_line
from model_profiling.wording import count

OK, WARNING, ERROR = "ok", "warning", "error"


@dataclass(frozen=True)
class Finding:
    """The outcome of one check.

    `check` is its short name, `message` says what was seen, `fix` what to do about it
    (empty when `level` is "ok").
    """

    check: str
    level: str
    message: str
    fix: str = ""

    def line(self) -> str:
        fix = f": {self.fix}" if self.fix else ""
        return one_line(f"{self.level:<7}  {self.check:<22}  {self.message}{fix}")

    def to_json(self) -> dict[str, str]:
        return asdict(self)


def ok(check: str, message: str) -> Finding:
    return Finding(check, OK, message)


def warning(check: str, message: str, fix: str = "") -> Finding:
    return Finding(check, WARNING, message, fix)


def error(check: str, message: str, fix: str) -> Finding:
    return Finding(check, ERROR, message, fix)


def conclude(findings: Sequence[Finding], subject: str) -> None:
    """Print every finding; raise `UserError` (exit status 2) when one is an error."""
    for finding in findings:
        say(finding.line())
    errors = [f for f in findings if f.level == ERROR]
    if errors:
        first = errors[0]
        raise UserError(
            f"{count(len(errors), 'problem')} found ({', '.join(dict.fromkeys(f.check for f in errors))})",
            f"in {subject}",
            first.fix,
        )
    warned = sum(f.level == WARNING for f in findings)
    say(f"valid: {subject}" + (f" ({count(warned, 'warning')})" if warned else ""))
