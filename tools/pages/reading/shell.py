# SPDX-License-Identifier: Apache-2.0
"""What a shell does, in the few shapes that following a page needs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tools.pages.reading.problems import Position

_GLOB = re.compile(r"[*?\[]")


@dataclass(frozen=True)
class Piece:
    """Part of a word: literal text, a variable (its name), or something only a shell can work out."""

    kind: str  # "text", "variable", "unknown"
    text: str
    quoted: bool = False
    fallback: bool = False


@dataclass(frozen=True)
class Word:
    pieces: tuple[Piece, ...]
    raw: str
    place: Position

    @property
    def literal(self) -> str | None:
        """Return the word's text where it has no variable in it."""
        if all(piece.kind == "text" for piece in self.pieces):
            return "".join(piece.text for piece in self.pieces)
        return None

    @property
    def is_glob(self) -> bool:
        return any(p.kind == "text" and not p.quoted and _GLOB.search(p.text) for p in self.pieces)


@dataclass(frozen=True)
class Redirect:
    operator: str
    target: Word | None
    heredoc: str | None = None


@dataclass(frozen=True)
class Command:
    """One simple command. `keyword` is set for export, declare and the like."""

    words: tuple[Word, ...]
    assignments: tuple[tuple[str, Word | None], ...]
    redirects: tuple[Redirect, ...]
    place: Position
    inner: tuple[Shape, ...] = ()
    keyword: str = ""
    piped: bool = False


@dataclass(frozen=True)
class Loop:
    variable: str
    words: tuple[Word, ...]
    body: tuple[Shape, ...]


@dataclass(frozen=True)
class Subshell:
    body: tuple[Shape, ...]


Shape = Command | Loop | Subshell


@dataclass(frozen=True)
class Statement:
    """A command line as a reader enters it: its text, where it stands, what it does."""

    text: str
    place: Position
    shapes: tuple[Shape, ...]
    is_pipeline: bool = False


@dataclass(frozen=True)
class Script:
    statements: tuple[Statement, ...]
    faults: tuple[tuple[Position, str, str], ...]


def commands(shapes: tuple[Shape, ...]) -> Iterator[Command]:
    """Yield every simple command in shapes, the ones inside loops and substitutions too."""
    for shape in shapes:
        if isinstance(shape, Command):
            yield shape
            yield from commands(shape.inner)
        else:
            yield from commands(shape.body)
