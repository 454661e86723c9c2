# SPDX-License-Identifier: Apache-2.0
"""Every command of the repository with what its code says and what `commands.yaml` adds.

A parser knows flags and help. What a command reads and leaves, an example, and what its exit
statuses mean stand in the data file, which has to have one entry for each command and no more.
"""

from __future__ import annotations

import ast
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import yaml

from model_profiling.command import CommandParser
from model_profiling.errors import UserError, nearest
from model_profiling.processes import run_child
from tools.command_reference.flags import Flag, flags_of, read_shell_help
from tools.pages.reader.scripts import FORWARDS, Scripts

DATA = Path(__file__).with_name("commands.yaml")
#: The folders whose commands people type; tests and what measures them are no part of it.
FOLDERS = ("model_profiling/export/", "model_profiling/scripts/", "model_profiling/tools/", "tools/")
ALSO = ("test-cases/run_tests.sh",)
#: The order of the reference: how work with the kit goes.
STAGES = {
    "set-up": "Set up",
    "export": "Export",
    "configure": "Configure",
    "run": "Run",
    "analyze": "Analyze",
    "report": "Report",
    "validate": "Validate",
    "preview": "Preview SME2 without SME2 hardware",
    "tools": "Tools for one file at a time",
    "repository": "The repository's own tools",
}
_HELP_SECONDS = 30


@dataclass(frozen=True)
class CommandEntry:
    """What the data file says of one command; see the comment at its head."""

    stage: str
    task: str
    reads: str
    writes: str
    example: str
    exits: Mapping[int, str]
    no_run: str = ""
    arguments: str = ""


@dataclass(frozen=True)
class CommandReference:
    """One command: `name` is its path in the repository."""

    name: str
    purpose: str
    details: str
    note: str
    flags: tuple[Flag, ...]
    environment: Mapping[str, str]
    entry: CommandEntry

    @property
    def typed(self) -> str:
        """How it is started from the repository's root."""
        return f"{'bash' if self.name.endswith('.sh') else 'python'} {self.name}"


def read_commands(scripts: Scripts, data: Path = DATA) -> list[CommandReference]:
    """Return every command in the order of its stage, then of the data file.

    Raises
    ------
    UserError : the data file lacks a command, has one too many, or an entry is not whole.
    """
    entries = read_entries(data)
    names = [name for name in scripts.commands() if _is_named(name)]
    for name in names:
        if name not in entries:
            raise UserError(f"{name} has no entry", f"in {data}", "say there what it reads and writes, with an example")
    for name in entries:
        if name not in names:
            raise UserError(
                f"{name} is no command of the repository{nearest(name, names)}", f"in {data}", "correct or remove it"
            )
    order = list(entries)
    commands = [_command(name, entries[name], scripts) for name in names]
    return sorted(commands, key=lambda c: (list(STAGES).index(c.entry.stage), order.index(c.name)))


def read_entries(data: Path) -> dict[str, CommandEntry]:
    """Return the data file's entries by command.

    Raises
    ------
    UserError : an entry has an unknown key or stage, or lacks one.
    """
    known = [field.name for field in fields(CommandEntry)]
    entries = {}
    for name, raw in yaml.safe_load(data.read_text(encoding="utf-8")).items():
        for key in raw:
            if key not in known:
                raise UserError(
                    f"{key} is no key of a command's entry{nearest(key, known)}", f"in {name} of {data}", "correct it"
                )
        missing = [key for key in ("stage", "task", "reads", "writes", "example", "exits") if not raw.get(key)]
        if missing:
            raise UserError(f"the entry lacks {', '.join(missing)}", f"in {name} of {data}", "add what is missing")
        if raw["stage"] not in STAGES:
            raise UserError(
                f"{raw['stage']} is no stage{nearest(raw['stage'], STAGES)}", f"in {name} of {data}", "correct it"
            )
        held: dict[str, Any] = {key: value.strip() if isinstance(value, str) else value for key, value in raw.items()}
        entries[name] = CommandEntry(**held)
    return entries


def _is_named(name: str) -> bool:
    return name in ALSO or any(name.startswith(folder) and "/" not in name.removeprefix(folder) for folder in FOLDERS)


def _command(name: str, entry: CommandEntry, scripts: Scripts) -> CommandReference:
    path = scripts.repository.root / name
    parser = scripts.parser(name) or CommandParser(prog=path.name)
    if name.endswith(".sh") and name not in FORWARDS:
        purpose, details = _paragraphs(_head_comment(path))
        if entry.arguments:
            return CommandReference(name, purpose, details, "", (), {}, entry)
        shell_help = read_shell_help(_help_of(path), parser, name)
        return CommandReference(name, purpose, details, "", shell_help.flags, shell_help.environment, entry)
    purpose, details = _paragraphs(_docstring(path) if name.endswith(".py") else parser.description or "")
    return CommandReference(
        name,
        purpose,
        details,
        " ".join((parser.epilog or "").split()),
        flags_of(parser, scripts.repository.root),
        {},
        entry,
    )


def _paragraphs(text: str) -> tuple[str, str]:
    """Return the first sentence or paragraph, and the rest, each as one line."""
    first, _, rest = text.strip().partition("\n\n")
    return " ".join(first.split()), " ".join(rest.split())


def _docstring(script: Path) -> str:
    return ast.get_docstring(ast.parse(script.read_text(encoding="utf-8"))) or ""


def _head_comment(script: Path) -> str:
    """Return the comment at a script's head, its license line left out."""
    lines = script.read_text(encoding="utf-8").splitlines()[1:]
    comment = itertools.takewhile(lambda line: line.startswith("#"), lines)
    said = [line.removeprefix("#").strip() for line in comment if "SPDX-License-Identifier" not in line]
    return "\n".join(said).strip()


def _help_of(script: Path) -> str:
    return (
        run_child(["bash", str(script), "--help"], timeout_s=_HELP_SECONDS)
        .require_ok(f"the help of {script.name}")
        .output
    )
