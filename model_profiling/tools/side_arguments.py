# SPDX-License-Identifier: Apache-2.0
"""The flags and inputs that the tools on timeline tables share: one side, or two to compare."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from pathlib import Path

from model_profiling.analysis.comparing.trace_comparison import common_threads
from model_profiling.analysis.comparing.traced_sides import TracedSide, read_sides
from model_profiling.command import CommandParser
from model_profiling.errors import UserError


@dataclass(frozen=True)
class Sides:
    """What was asked for: pairs of sides by thread count (the second None without --compare)."""

    pairs: tuple[tuple[TracedSide, TracedSide | None], ...]
    folder: Path


def add_side_arguments(parser: CommandParser) -> None:
    """Add the flags that name the tables, their labels and where results go."""
    parser.add_argument(
        "--timeline-csv",
        type=Path,
        nargs="+",
        required=True,
        metavar="F",
        help="timeline tables of one experiment (the baseline when comparing)",
    )
    parser.add_argument(
        "--compare", type=Path, nargs="+", metavar="F", help="timeline tables of the experiment to compare"
    )
    parser.add_argument("--name1", metavar="N", help="label of --timeline-csv (default: its experiment)")
    parser.add_argument("--name2", metavar="N", help="label of --compare (default: its experiment)")
    parser.add_argument(
        "--output-dir", type=Path, metavar="DIR", help="where to write (default: beside the first table)"
    )
    parser.add_argument("--verbose", action="store_true", help="print every row")


def read_arguments(args: argparse.Namespace) -> Sides:
    """Read the tables that the flags name.

    Raises
    ------
    UserError : a table cannot be read, the labels are equal, or no thread count is common.
    """
    folder = args.output_dir or args.timeline_csv[0].parent
    first = read_sides(args.timeline_csv, args.name1, "baseline")
    if args.compare is None:
        if args.name2 is not None:
            raise UserError("--name2 labels --compare, which is not given", "on the command line", "add --compare")
        return Sides(tuple((side, None) for side in first.values()), folder)
    second = read_sides(args.compare, args.name2, "candidate")
    labels = next(iter(first.values())).label, next(iter(second.values())).label
    if labels[0] == labels[1]:
        if args.name1 or args.name2:
            raise UserError(f"both sides are called {labels[0]}", "in --name1 and --name2", "give them different names")
        first, second = (
            {threads: replace(side, label=f"{side.label} ({mark})") for threads, side in sides.items()}
            for sides, mark in ((first, "first"), (second, "second"))
        )
    threads = common_threads(first, second)
    if not threads:
        raise UserError(
            "the two sides have no thread count in common",
            "in --timeline-csv and --compare",
            "name tables measured with the same number of threads",
        )
    return Sides(tuple((first[t], second[t]) for t in threads), folder)
