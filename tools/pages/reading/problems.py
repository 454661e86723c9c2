# SPDX-License-Identifier: Apache-2.0
"""What a check found wrong, and where."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(frozen=True, order=True)
class Position:
    """A position in a file: line and column, both from 1."""

    line: int
    column: int = 1

    def __str__(self) -> str:
        return f"{self.line}:{self.column}"


@dataclass(frozen=True, order=True)
class Problem:
    """One thing to correct; `rule` is the short name of the check that found it."""

    path: str
    place: Position
    rule: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.place}: error: {self.message}"

    def to_json(self) -> dict[str, object]:
        plain = asdict(self)
        return {"path": self.path, **plain.pop("place"), "rule": self.rule, "message": self.message}
