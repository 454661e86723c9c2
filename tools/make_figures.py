#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Draw every figure of the pages into images/ and write the sample report, from data in the repository."""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tools.own_python import require_packages

require_packages("draws figures")

from model_profiling.command import CommandParser, run_command
from model_profiling.console import say
from model_profiling.errors import UserError
from model_profiling.files import write_text
from tools import REPOSITORY

IMAGES = REPOSITORY / "images"


def build_parser() -> CommandParser:
    """Return the command's parser."""
    parser = CommandParser(prog="make_figures.py", description=__doc__)
    parser.add_argument(
        "--check",
        action="store_true",
        help="write nothing; fail and name every committed file that differs from what would be written",
    )
    return parser


def made() -> dict[Path, str]:
    """Return the text of every file that this command keeps, by path."""
    from tools.figures.all_figures import figures, reports

    return {IMAGES / name: text for name, text in figures().items()} | reports()


def check(files: dict[Path, str]) -> None:
    """Raise the `UserError` that names the files which differ, are missing or have no maker."""
    wrong = [path for path, text in files.items() if not path.is_file() or path.read_text(encoding="utf-8") != text]
    wrong += sorted(path for path in IMAGES.iterdir() if path not in files)
    if wrong:
        names = ", ".join(os.path.relpath(path, REPOSITORY) for path in wrong)
        raise UserError(
            f"{names} {'differs' if len(wrong) == 1 else 'differ'} from what the data gives",
            f"in {REPOSITORY}",
            "run tools/make_figures.py with the pinned packages and commit the result",
        )


def main() -> None:
    args = build_parser().parse_args()
    files = made()
    if args.check:
        check(files)
        drawn = sum(path.parent == IMAGES for path in files)
        say(f"{drawn} figures and {len(files) - drawn} files of the sample report are what the data gives")
        return
    for path, text in files.items():
        write_text(path, text)
        say(str(path.relative_to(REPOSITORY)))


if __name__ == "__main__":
    run_command(main)
