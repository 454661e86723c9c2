#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write the reference of commands, pipeline_commands.md and scripts/readme.md, from the commands themselves.

Flags, defaults and help come from the parsers and the scripts' own help, so that the reference
cannot say other things than `--help`; the rest from tools/command_reference/commands.yaml.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tools.own_python import require_packages

require_packages("reads the commands")

from model_profiling.command import CommandParser, run_command
from model_profiling.console import say
from model_profiling.errors import UserError
from model_profiling.files import write_text
from tools import REPOSITORY
from tools.command_reference.commands import read_commands
from tools.command_reference.text import catalogue, reference
from tools.pages.reader.scripts import Scripts
from tools.pages.reading.repository import Repository

REFERENCE = REPOSITORY / "model_profiling" / "pipeline_commands.md"
CATALOGUE = REPOSITORY / "model_profiling" / "scripts" / "readme.md"


def build_parser() -> CommandParser:
    """Return the command's parser."""
    parser = CommandParser(prog="make_reference.py", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--check",
        action="store_true",
        help="write nothing; fail and name every file that differs from what would be written",
    )
    return parser


def made(scripts: Scripts) -> dict[Path, str]:
    """Return the text of each document, by its path."""
    commands = read_commands(scripts)
    return {REFERENCE: reference(commands), CATALOGUE: catalogue(commands)}


def check(files: dict[Path, str]) -> None:
    """Raise the `UserError` that names the documents which differ or are missing."""
    wrong = [
        os.path.relpath(path, REPOSITORY)
        for path, text in files.items()
        if not path.is_file() or path.read_text(encoding="utf-8") != text
    ]
    if wrong:
        raise UserError(
            f"{', '.join(wrong)} {'differs' if len(wrong) == 1 else 'differ'} from what the commands say",
            f"in {REPOSITORY}",
            "run tools/make_reference.py and commit the result",
        )


def main() -> None:
    args = build_parser().parse_args()
    files = made(Scripts(Repository(REPOSITORY)))
    if args.check:
        check(files)
        say(f"{len(files)} documents say what the commands do")
        return
    for path, text in files.items():
        write_text(path, text)
        say(os.path.relpath(path, REPOSITORY))


if __name__ == "__main__":
    run_command(main)
