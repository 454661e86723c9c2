# SPDX-License-Identifier: Apache-2.0
"""Somebody who types a page's commands one after the other: where they are and what they have."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, field

from model_profiling.errors import nearest
from tools.pages.reader.virtual_files import CLONE, HOME, Entry, Files
from tools.pages.reading.problems import Position, Problem
from tools.pages.reading.repository import Repository
from tools.pages.reading.shell import Piece, Word

#: Variables that every shell has; their values differ from reader to reader.
_ALWAYS_SET = (
    "PWD",
    "OLDPWD",
    "PATH",
    "USER",
    "SHELL",
    "LANG",
    "TERM",
    "TMPDIR",
    "RANDOM",
    "SECONDS",
    "EDITOR",
    "HOSTNAME",
    "BASH_SOURCE",
    "?",
    "#",
    "@",
    "*",
    "!",
    "$",
    "0",
    "_",
)


@dataclass(frozen=True)
class Argument:
    """A word after expansion. `text` is None where only a shell can work it out."""

    text: str | None
    word: Word
    pattern: bool = False

    @property
    def place(self) -> Position:
        return self.word.place

    def path(self, folder: str) -> str | None:
        return None if self.text is None else absolute(self.text, folder)


def absolute(text: str, folder: str) -> str:
    """Return a path as the shell in `folder` understands it."""
    if text == "~" or text.startswith("~/"):
        text = HOME + text[1:]
    return posixpath.normpath(posixpath.join(folder, text))


@dataclass
class Reader:
    """The state that commands read and change, and the problems met on the way.

    `needs` says why the statement at hand cannot run here, where it cannot: what it makes
    carries the reason on, so that a later command that needs it is known not to run either.
    `piped` is the folder in the repository's archive, where the last program printed that.
    """

    files: Files
    name: str
    folder: str = HOME
    variables: dict[str, str | None] = field(default_factory=lambda: {"HOME": HOME} | dict.fromkeys(_ALWAYS_SET))
    problems: list[Problem] = field(default_factory=list)
    needs: str | None = None
    stand_in: str | None = None
    piped: str | None = None
    trivial: bool = True

    @classmethod
    def start(cls, repository: Repository, name: str, start_in: str | None) -> Reader:
        """Return a reader in a fresh clone, or wherever the page says its shell starts."""
        files = Files(repository)
        if start_in != "HOME":
            files.clone(CLONE)
        return cls(files, name, absolute(start_in or CLONE, HOME) if start_in != "HOME" else HOME)

    def problem(self, place: Position, rule: str, message: str) -> None:
        problem = Problem(self.name, place, rule, message)
        if problem not in self.problems:
            self.problems.append(problem)

    # ------------------------------------------------------------ words

    def expand(self, word: Word) -> list[Argument]:
        """Return a word as the arguments that a shell makes of it; unset variables are problems."""
        text: str | None = ""
        for piece in word.pieces:
            value = piece.text if piece.kind == "text" else self._value(piece, word)
            text = None if text is None or value is None else text + value
        if text is None:
            return [Argument(None, word)]
        if "{" in word.raw and "," in word.raw and not word.raw.startswith(("'", '"')):
            return [Argument(t, word) for t in _braces(text)]
        if word.is_glob:
            return self._matches(text, word)
        return [Argument(text, word)]

    def _value(self, piece: Piece, word: Word) -> str | None:
        if piece.kind == "unknown" or piece.fallback:
            return None
        if piece.text not in self.variables and not piece.text.isdigit():
            self.problem(word.place, "variable", f"${piece.text} is not set here{nearest(piece.text, self.variables)}")
        return self.folder if piece.text == "PWD" else self.variables.get(piece.text)

    def _matches(self, text: str, word: Word) -> list[Argument]:
        pattern = absolute(text, self.folder)
        paths = self.files.matching(pattern)
        if paths:
            prefix = "" if text.startswith(("/", "~")) else self.folder + "/"
            return [Argument(path.removeprefix(prefix), word, pattern=True) for path in paths]
        return [Argument(None if self.files.open_around(pattern) else text, word, pattern=True)]

    # ------------------------------------------------------------ files

    def read_file(self, argument: Argument, what: str = "") -> str | None:
        """Require that an argument's file is there; return its absolute path where it is known."""
        path = argument.path(self.folder)
        if argument.text is None or path is None or argument.text == "-":  # what a pipe brings
            return None
        self._carry(path)
        if not self.files.exists(path):
            self.problem(argument.place, "path", self._missing(argument.text, path, what))
        return path

    def read_path(self, text: str, place: Position, what: str = "") -> str | None:
        """Require that a path which stands inside a file or a flag's value is there."""
        path = absolute(text, self.folder)
        self._carry(path)
        if not self.files.exists(path):
            self.problem(place, "path", self._missing(text, path, what))
            return None
        return path

    def make(
        self,
        path: str,
        *,
        folder: bool = False,
        open: bool = False,
        content: str | None = None,
        copy_of: str | None = None,
        archive: str | None = None,
    ) -> None:
        """Make a file or folder (see `Entry`); that its maker cannot run here goes with it."""
        self.files.make(path, Entry(folder, open, content, copy_of, archive, cannot_run=self.needs))

    def _carry(self, path: str) -> None:
        reason = self.files.cannot_run(path)
        if reason and not self.needs:
            self.needs = reason

    def _missing(self, text: str, path: str, what: str) -> str:
        parent = posixpath.dirname(path)
        near = [posixpath.basename(p) for p in self.files.matching(posixpath.join(parent, "*"))]
        if not self.files.exists(parent):
            return f"{text} is not there{f' ({what})' if what else ''}: neither the kit nor this page makes it"
        return f"{text} is not there{f' ({what})' if what else ''}{nearest(posixpath.basename(path), near)}"


def _braces(text: str) -> list[str]:
    before, _, rest = text.partition("{")
    inner, closed, after = rest.partition("}")
    return [f"{before}{choice}{after}" for choice in inner.split(",")] if closed else [text]
