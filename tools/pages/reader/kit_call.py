# SPDX-License-Identifier: Apache-2.0
"""One command of the kit as a reader types it: its arguments, where they stand, and the files it needs."""

from __future__ import annotations

import argparse
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from model_profiling.errors import UserError
from tools.pages.reader.state import Argument, Reader, absolute
from tools.pages.reading.problems import Position


@dataclass(frozen=True)
class Call:
    """One command with its arguments, as typed by `reader`."""

    args: argparse.Namespace
    words: Sequence[Argument]
    reader: Reader
    place: Position

    def where(self, value: object) -> Position:
        """Return where a value stands on the command line."""
        return next(
            (
                word.place
                for word in self.words
                if word.text == str(value) or word.text and word.text.rstrip("/") == str(value)
            ),
            self.place,
        )

    def known(self, value: object) -> bool:
        """Return whether a value was typed as it stands, and not left for a shell to work out."""
        return value is not None and not any(word.text is None for word in self.words)

    def needs_file(self, value: object, what: str) -> str | None:
        """Require that the file or folder which a flag names is there; return its absolute path."""
        if not self.known(value):
            return None
        return self.reader.read_path(str(value), self.where(value), what)

    def needs_files(self, values: Sequence[object] | None, what: str) -> None:
        for value in values or ():
            self.needs_file(value, what)

    def path(self, value: object) -> str:
        return absolute(str(value), self.reader.folder)

    def wrong(self, value: object, rule: str, message: str) -> None:
        self.reader.problem(self.where(value), rule, message)


def asked_of_the_kit(call: Call, value: str, check: Callable[[str], object]) -> None:
    refused = _refusal(check, value)
    if refused:
        call.wrong(value, "value", refused)


@functools.cache
def _refusal(check: Callable[[str], object], value: str) -> str | None:
    try:
        check(value)
    except UserError as error:
        return f"{error.what}: {error.fix}"
    return None
