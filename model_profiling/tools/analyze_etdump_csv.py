#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Find the bottlenecks in timeline tables: operators, categories, portable and delegated time.

With --compare, puts the same of another experiment beside them, matched by kind of operator
and by layer: SME2 changes the operators' names, not the layers'. Times are mean shares of an
execution times the median execution, so that they add up.
"""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace

if importlib.util.find_spec("model_profiling") is None:
    sys.stderr.write(
        f"error: this Python lacks the kit, at {sys.executable}: run model_profiling/scripts/setup_repo.sh, "
        "then start this with .venv/bin/python\n"
    )
    sys.exit(2)

from model_profiling.analysis.comparing.trace_comparison import SideTimes, times_of
from model_profiling.command import CommandParser, run_command
from model_profiling.console import say
from model_profiling.errors import one_line
from model_profiling.files import write_text
from model_profiling.report.words import trace_tables
from model_profiling.report.words.digits import milliseconds
from model_profiling.report.words.table import Table
from model_profiling.tools.side_arguments import add_side_arguments, read_arguments
from model_profiling.wording import count

_TOP_OPERATORS = 15


def build_parser() -> CommandParser:
    """Return the command's parser."""
    parser = CommandParser(
        prog="analyze_etdump_csv.py",
        description=__doc__.splitlines()[0],
        epilog="Writes operator_bottlenecks, portable_vs_delegated and category_comparison as .csv and .md; with "
        "--compare, where both sides' tables name layers, layer_comparison too. Packing counts with the operator "
        "and the layer that it serves.",
    )
    add_side_arguments(parser)
    return parser


def main() -> None:
    args = build_parser().parse_args()
    sides = read_arguments(args)
    pairs = [(times_of(first), times_of(second) if second else None) for first, second in sides.pairs]
    results = [trace_tables.categories(pairs), trace_tables.placement(pairs), trace_tables.bottlenecks(pairs)]
    if matched := trace_tables.layers(pairs):
        results.append(matched)
    contents = [
        (sides.folder / f"{result.name}.{ending}", text)
        for result in results
        for ending, text in (("csv", result.csv()), ("md", result.shown.markdown()))
    ]
    files = [write_text(path, text) for path, text in contents]
    for side in (side for pair in pairs for side in pair if side):
        say(one_line(_headline(side)))
    say()
    for result in results:
        (result.shown if args.verbose else _top(result.shown)).show()
    for path in files:
        say(str(path))


def _top(table: Table) -> Table:
    if len(table.rows) <= _TOP_OPERATORS or not {"operator", "layer"} & set(table.columns):
        return table
    return replace(
        table,
        title=f"{table.title} ({_TOP_OPERATORS} of {len(table.rows)}; --verbose shows all)",
        rows=table.rows[:_TOP_OPERATORS],
    )


def _headline(side: SideTimes) -> str:
    threads = f", threads {side.side.threads}" if side.side.threads else ""
    runs = len(side.whole.method)
    executions = count(runs, "execution")
    return f"{side.side.label}{threads}: {executions}, median {milliseconds(side.median_ms)} ms (traced)"


if __name__ == "__main__":
    run_command(main)
