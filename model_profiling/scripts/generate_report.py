#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write the report of an analyzed run: Markdown, HTML, figures and a timeline for Perfetto."""

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
from model_profiling.pipeline.run_directory import RunDirectory


def build_parser() -> CommandParser:
    """Return the command's parser."""
    parser = CommandParser(prog="generate_report.py", description=__doc__)
    parser.add_argument("--run-dir", type=Path, required=True, metavar="DIR", help="the run directory (output_root)")
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="write this one file instead, .html or .md (default: all of them into the run directory)",
    )
    parser.add_argument("--title", metavar="T", help="heading of the report (default: the model's name)")
    return parser


def main() -> None:
    args = build_parser().parse_args()
    from model_profiling.report.generate import generate_report

    outcome = generate_report(RunDirectory(args.run_dir), args.out, args.title)
    for sentence in outcome.sentences:
        say(sentence)
    for path in outcome.files:
        say(f"  {path}")


if __name__ == "__main__":
    run_command(main)
