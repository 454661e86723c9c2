#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write one report of several analyzed runs: devices, element types or models side by side."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

if importlib.util.find_spec("model_profiling") is None:
    sys.stderr.write(
        f"error: this Python lacks the kit, at {sys.executable}: run model_profiling/scripts/setup_repo.sh, "
        "then start this with .venv/bin/python\n"
    )
    sys.exit(2)

from model_profiling.command import CommandParser, run_command
from model_profiling.console import say


def build_parser() -> CommandParser:
    """Return the command's parser."""
    parser = CommandParser(prog="generate_combined_report.py", description=__doc__)
    parser.add_argument(
        "--run-dirs",
        type=Path,
        nargs="+",
        required=True,
        metavar="DIR",
        help="the run directories; the first is what the others are compared with",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the report to write, .html or .md")
    return parser


def main() -> None:
    args = build_parser().parse_args()
    from model_profiling.report.combined_output import generate_combined_report

    outcome = generate_combined_report(args.run_dirs, args.out)
    for sentence in outcome.sentences:
        say(sentence)
    for path in outcome.files:
        say(f"  {path}")


if __name__ == "__main__":
    run_command(main)
