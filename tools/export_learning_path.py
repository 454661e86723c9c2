#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Lay the learning path out as Arm's repository has it: the pages, and beside them the images they show."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tools.own_python import require_packages

require_packages("lays the learning path out")

from model_profiling.command import CommandParser, run_command
from model_profiling.console import say


def build_parser() -> CommandParser:
    """Return the command's parser."""
    parser = CommandParser(prog="export_learning_path.py", description=__doc__)
    parser.add_argument(
        "--dest",
        type=Path,
        required=True,
        metavar="DIR",
        help="a checkout of arm-learning-paths, or any folder: content/learning-paths/... goes below it",
    )
    return parser


def main() -> None:
    args = build_parser().parse_args()
    from tools.learning_path.layout import export
    from tools.learning_path.pages import CONTENT, IMAGES

    written = export(CONTENT, IMAGES, args.dest)
    for path in written:
        say(str(path))
    say(f"{len(written)} files, checked as they lie there")


if __name__ == "__main__":
    run_command(main)
