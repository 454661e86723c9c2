# SPDX-License-Identifier: Apache-2.0
"""Are these words what that parser takes? Asked of the parser itself, answered with a position."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from itertools import pairwise

from model_profiling.errors import UserError, nearest
from tools.pages.reader.state import Argument, Reader
from tools.pages.reading.problems import Position

#: Stands for what only a shell can work out: no parser refuses it for its spelling.
_UNKNOWN = "1"


def parse_arguments(
    parser: argparse.ArgumentParser, words: Sequence[Argument], reader: Reader, place: Position
) -> argparse.Namespace | None:
    """Parse `words`; every fault becomes a problem of `reader`. Return None where there is one.

    `place` is where the program is named.
    """
    flags = {flag: action for action in parser._actions for flag in action.option_strings}
    unknown = [
        word
        for word in words
        if word.text
        and word.text.startswith("-")
        and len(word.text) > 1
        and word.text.split("=")[0] not in flags
        and not re.fullmatch(r"-\d+(\.\d+)?", word.text)
    ]
    for word in unknown:
        flag = str(word.text).split("=")[0]
        reader.problem(word.place, "flag", f"{flag} is not a flag of {parser.prog}{nearest(flag, flags)}")
    _check_choices(flags, words, parser.prog, reader)
    if unknown:
        return None
    try:
        return parser.parse_args([_UNKNOWN if word.text is None else word.text for word in words])
    except UserError as error:
        where, rule = _blame(error.what, words, place)
        if not any(p.place == where for p in reader.problems):
            reader.problem(where, rule, _in_short(error.what, parser.prog))
    except SystemExit:  # --help and --version print and leave
        pass
    return None


def asks_for_help(words: Sequence[Argument]) -> bool:
    return any(word.text in ("--help", "-h") for word in words)


def _check_choices(flags: dict[str, argparse.Action], words: Sequence[Argument], prog: str, reader: Reader) -> None:
    """Say which value of a closed choice was meant; argparse only lists them."""
    for flag, value in pairwise(words):
        action = flags.get(flag.text or "")
        if (
            action
            and action.choices
            and value.text is not None
            and not value.text.startswith("-")
            and value.text not in map(str, action.choices)
        ):
            reader.problem(
                value.place,
                "value",
                f"{value.text} is not a value of {flag.text} of {prog}"
                f"{nearest(value.text, action.choices) or ': use ' + ', '.join(map(str, action.choices))}",
            )


def _in_short(message: str, prog: str) -> str:
    """Return what a parser says of an argument, with its command's name and without argparse's jargon."""
    required = re.match(r"the following arguments are required: (.*)", message)
    if required:
        return f"{prog} needs {required[1]}"
    about = re.match(r"argument ([^:]+): (.*)", message)
    if about:
        wanted = "needs a value" if about[2].startswith("expected") else f"takes no such value: {about[2]}"
        return f"{about[1]} of {prog} {wanted}"
    return f"{prog}: {message}"


def _blame(message: str, words: Sequence[Argument], place: Position) -> tuple[Position, str]:
    """Return where the word stands that a parser's message is about."""
    about = re.match(r"argument ([^:]+): (.*)", message)
    if about:
        names = about[1].split("/")
        for number, word in enumerate(words):
            if word.text and word.text.split("=")[0] in names:
                value = words[number + 1] if number + 1 < len(words) else word
                missing = "expected" in about[2]
                return (word if missing else value).place, "flag" if missing else "value"
    extra = re.match(r"unrecognized arguments: (\S+)", message)
    if extra:
        return next((word.place for word in words if word.text == extra[1]), place), "argument"
    return place, "flag"
