#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compare two runs of the same experiments, made at different times, and fail where the second is slower.

The launches of two runs are no pairs, and whether conditions were the same cannot be known: where both programs are at
hand, measure them in one run (generate_config.py --against).
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
from model_profiling.console import say
from model_profiling.errors import KitError


class RegressionError(KitError):
    """The candidate run is slower than allowed, and its interval supports that."""

    exit_code = 1


def build_parser() -> CommandParser:
    """Return the command's parser."""
    parser = CommandParser(
        prog="compare_runs.py",
        description=__doc__,
        epilog=(
            "Exit status: 0 where no slow-down beyond PERCENT is supported, 1 where one is, 2 where the runs cannot be "
            "compared, such as runs from different CPUs."
        ),
    )
    parser.add_argument("--baseline", type=Path, required=True, metavar="DIR", help="the run to compare with")
    parser.add_argument("--candidate", type=Path, required=True, metavar="DIR", help="the run that may have got slower")
    parser.add_argument(
        "--fail-if-slower",
        type=_percent,
        metavar="PERCENT",
        help="exit with status 1 where the whole 95 %% interval of the slow-down lies above PERCENT; "
        "choose it above what the same code differs by from day to day",
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


def main() -> None:
    args = build_parser().parse_args()
    from model_profiling.analysis.comparing.run_comparison import compare_run_directories
    from model_profiling.pipeline.run_directory import RunDirectory
    from model_profiling.report.words.run_comparison import comparison_lines, slowdown

    compared = compare_run_directories(RunDirectory(args.baseline), RunDirectory(args.candidate))
    for line in comparison_lines(compared):
        say(line)
    if args.fail_if_slower is not None:
        sys.stdout.flush()
        slower = compared.slower(args.fail_if_slower)
        if slower:
            raise RegressionError("; ".join(slowdown(row, args.fail_if_slower) for row in slower))
        say(f"No slow-down by more than {args.fail_if_slower:g} % is supported.")


if __name__ == "__main__":
    run_command(main)
