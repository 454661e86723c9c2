# SPDX-License-Identifier: Apache-2.0
"""Edits at places of a page's source, and slips of the fingers."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass

from tools.pages.checks.checker import Checker
from tools.pages.reading.document import Document
from tools.pages.reading.problems import Position


@dataclass(frozen=True)
class Fault:
    """One fault: the page's whole text with it, or what is missing around an unchanged page."""

    kind: str
    page: str
    place: Position
    what: str
    text: str | None = None
    gone: str | None = None
    lost_flag: tuple[str, str] | None = None

    def __str__(self) -> str:
        return f"{self.page}:{self.place}: {self.kind}: {self.what}"


def misspelt(word: str, chance: random.Random) -> str | None:
    """Return `word` with one slip of the fingers, or None where there is no room for one."""
    letters = [
        i for i in range(1, len(word) - 1) if word[i].isalpha() and word[i + 1].isalpha() and word[i] != word[i + 1]
    ]
    if not letters:
        return None
    at = chance.choice(letters)
    slips = (
        word[:at] + word[at + 1] + word[at] + word[at + 2 :],  # swapped
        word[:at] + word[at + 1 :],  # left out
        word[: at + 1] + word[at] + word[at + 1 :],
    )  # typed twice
    return chance.choice(slips)


class EditedPage:
    """A document with its source, and edits at places."""

    def __init__(self, document: Document, checker: Checker, seed: int) -> None:
        self.document, self.checker = document, checker
        self.lines = document.text.splitlines(keepends=True)
        self.starts = [0]
        for line in self.lines:
            self.starts.append(self.starts[-1] + len(line))
        self.chance = random.Random(f"{seed} {document.name}")

    def offset(self, place: Position) -> int:
        return self.starts[place.line - 1] + place.column - 1

    def fault(self, kind: str, place: Position, what: str, start: int, end: int, new: str) -> Fault:
        text = self.document.text[:start] + new + self.document.text[end:]
        return Fault(kind, self.document.name, place, what, text)

    def replace(self, kind: str, place: Position, old: str, new: str | None) -> Iterator[Fault]:
        """Replace `old`, where it stands in the source at `place`, by `new`."""
        at = self.offset(place)
        if new is not None and new != old and self.document.text.startswith(old, at):
            yield self.fault(kind, place, f"{old} -> {new or 'nothing'}", at, at + len(old), new)

    def line(self, number: int) -> str:
        return self.lines[number - 1].rstrip("\n")

    def without_lines(self, kind: str, first: int, last: int, what: str) -> Fault:
        return self.fault(kind, Position(first), what, self.starts[first - 1], self.starts[last], "")

    def with_line(self, kind: str, number: int, new: str) -> Fault:
        return self.fault(
            kind,
            Position(number),
            f"{self.line(number)!r} -> {new!r}",
            self.starts[number - 1],
            self.starts[number - 1] + len(self.line(number)),
            new,
        )


def flag_slip(flag: str, chance: random.Random) -> str | None:
    name, equals, value = flag.partition("=")
    slip = misspelt(name[1:], chance)
    return f"-{slip}{equals}{value}" if slip else None


def path_slip(path: str, chance: random.Random) -> str | None:
    """Misspell the last part of a path that is not a pattern or a variable."""
    parts = path.strip('"').split("/")
    for number in reversed(range(len(parts))):
        if parts[number] and not re.search(r"[*$<{]", parts[number]) and (slip := misspelt(parts[number], chance)):
            return path.replace(parts[number], slip) if path.count(parts[number]) == 1 else None
    return None
