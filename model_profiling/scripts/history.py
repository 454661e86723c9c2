#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Show how results changed over many runs: one page with every trend, where it changed, and what differs there.

Run directories are found below the folders that are named, so that a folder of runs or a sweep's is enough. Only what
is comparable is compared: another CPU, another build of an Android device or kind of runner is a series of its own.
"""

from __future__ import annotations

import argparse
import importlib.util
import math
import sys
from pathlib import Path

if importlib.util.find_spec("model_profiling") is None:
    sys.stderr.write(
        f"error: this Python lacks the kit, at {sys.executable}: run model_profiling/scripts/setup_repo.sh, "
        "then start this with .venv/bin/python\n"
    )
    sys.exit(2)

from model_profiling.command import CommandParser, run_command


def build_parser() -> CommandParser:
    """Return the command's parser."""
    parser = CommandParser(
        prog="history.py",
        description=__doc__,
        epilog=(
            "Exit status: 0 where nothing got worse by more than PERCENT, 1 where something did, 2 where runs or the "
            "index cannot be read."
        ),
    )
    parser.add_argument(
        "--runs", type=Path, nargs="+", default=[], metavar="DIR", help="run or sweep directories, or folders of them"
    )
    parser.add_argument(
        "--index",
        type=Path,
        metavar="FILE",
        help="a SQLite file that keeps all runs that were ever named, for when their directories are gone",
    )
    parser.add_argument(
        "--out", type=Path, nargs="+", required=True, metavar="FILE", help="the page to write: .html, or .md for tables"
    )
    parser.add_argument(
        "--fail-on-change",
        type=_percent,
        metavar="PERCENT",
        help="exit with status 1 where the newest change of latency, load time, peak memory or size is one for the "
        "worse by more than PERCENT",
    )
    parser.add_argument(
        "--since",
        type=_time,
        metavar="TIME",
        help="with --fail-on-change: what changed before this day or time (ISO 8601, UTC) is known and fails nothing",
    )
    return parser


def _percent(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f'"{text}" is no percentage of 0 or more')
    return value


def _time(text: str) -> str:
    from model_profiling.analysis.history.trends import parsed_time

    if parsed_time(text) is None:
        raise argparse.ArgumentTypeError(f'"{text}" is no day or time such as 2026-01-31')
    return text


def main() -> None:
    args = build_parser().parse_args()
    from model_profiling.scripts.history_workflow import write_history_page

    write_history_page(args.runs, args.index, args.out, args.fail_on_change, args.since or "")


if __name__ == "__main__":
    run_command(main)
