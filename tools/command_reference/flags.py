# SPDX-License-Identifier: Apache-2.0
"""Flags as a reference shows them, taken from a parser's actions or from a shell script's own help.

argparse's formatted help differs between Python versions, so nothing of it is used here.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from model_profiling.errors import UserError

_DEFAULT = re.compile(r"\s*\(default:? ((?:[^()]|\([^()]*\))*)\)|^default:? (.+)$")
_HELP_FLAGS = frozenset({"-h", "--help"})
_ENTRY = re.compile(r"  (\S.*?)(?:  +(\S.*))?$")


@dataclass(frozen=True)
class Flag:
    """One flag or positional argument. `value` is what stands for its value, empty where it takes none."""

    name: str
    value: str
    required: bool
    default: str
    choices: tuple[str, ...]
    help: str

    @property
    def typed(self) -> str:
        """How it stands in a synopsis, such as ``[--only NAME ...]``."""
        text = f"{self.name} {self.value}".strip()
        return text if self.required else f"[{text}]"


def flags_of(parser: argparse.ArgumentParser, root: Path) -> tuple[Flag, ...]:
    """Return a parser's flags in their order, positional arguments last. Paths below `root` lose it."""
    actions = [action for action in parser._actions if not _HELP_FLAGS & set(action.option_strings)]
    actions.sort(key=lambda action: not action.option_strings)
    return tuple(_flag(action, parser.prog, root) for action in actions)


def _flag(action: argparse.Action, program: str, root: Path) -> Flag:
    told = " ".join((action.help or "").split()) % {**vars(action), "prog": program}
    text, stated = _default_apart(told)
    default = _shown_default(action.default, root) if stated is None else stated
    positional = not action.option_strings
    return Flag(
        name="" if positional else max(action.option_strings, key=len),
        value=_value(action),
        required=not positional and action.required or positional and action.nargs in (None, "+"),
        default=default,
        choices=tuple(map(str, action.choices or ())),
        help=text,
    )


def _default_apart(told: str) -> tuple[str, str | None]:
    """Return a flag's help without the default that it states, and that default."""
    stated = _DEFAULT.search(told)
    if stated is None:
        return told, None
    return (told[: stated.start()] + told[stated.end() :]).strip(), stated[1] or stated[2]


def _value(action: argparse.Action) -> str:
    if action.nargs == 0:
        return ""
    name = action.metavar or (f"{{{','.join(map(str, action.choices))}}}" if action.choices else action.dest.upper())
    return f"{name} ..." if action.nargs in ("+", "*") else str(name)


def _shown_default(default: object, root: Path) -> str:
    if default in (None, False, "", argparse.SUPPRESS) or default == []:
        return ""
    if isinstance(default, Path) and default.is_relative_to(root):
        return default.relative_to(root).as_posix()
    return ", ".join(map(str, default)) if isinstance(default, (list, tuple)) else str(default)


# ---------------------------------------------------------------- shell scripts


@dataclass(frozen=True)
class ShellHelp:
    """What a shell script says of itself: its flags, and the environment variables that it reads."""

    flags: tuple[Flag, ...]
    environment: Mapping[str, str]


def read_shell_help(text: str, coded: argparse.ArgumentParser, script: str) -> ShellHelp:
    """Read a script's ``--help``; its flags have to be those that its code compares.

    Raises
    ------
    UserError : a flag is in the help and not in the code, or the other way round.
    """
    sections: dict[str, dict[str, str]] = {"": {}, "environment:": {}}
    section, last = "", ""
    for line in text.splitlines():
        if line.rstrip() in sections:
            section, last = line.rstrip(), ""
        elif (entry := _ENTRY.fullmatch(line)) and entry[2]:
            last = entry[1]
            sections[section][last] = entry[2]
        elif line.startswith("   ") and last:
            sections[section][last] += " " + line.strip()
        else:
            last = ""
    flags = tuple(
        _shell_flag(name, told)
        for name, told in sections[""].items()
        if name.startswith("-") and not _HELP_FLAGS & {name}
    )
    known = {flag for action in coded._actions for flag in action.option_strings} - _HELP_FLAGS
    if known != {flag.name for flag in flags}:
        wrong = ", ".join(sorted(known ^ {flag.name for flag in flags}))
        raise UserError(
            f"{wrong}: the help and the code of {script} name different flags",
            f"in {script}",
            "make usage() say what the script takes",
        )
    return ShellHelp(flags, sections["environment:"])


def _shell_flag(name: str, told: str) -> Flag:
    flag, _, value = name.partition(" ")
    text, stated = _default_apart(told)
    return Flag(flag, value, False, stated or "", (), text)
