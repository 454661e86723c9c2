#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Summarize end-to-end latency from timeline tables: robust statistics, outliers, the comparison.

Outliers are flagged and kept. With --compare, launches of the same pair are compared with each
other; tables without pair numbers give a ratio of medians, but no interval and no verdict.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping, Sequence
from typing import Any

if importlib.util.find_spec("model_profiling") is None:
    sys.stderr.write(
        f"error: this Python lacks the kit, at {sys.executable}: run model_profiling/scripts/setup_repo.sh, "
        "then start this with .venv/bin/python\n"
    )
    sys.exit(2)

from model_profiling.analysis.comparing.trace_comparison import latency_comparison, latency_entry
from model_profiling.command import CommandParser, run_command
from model_profiling.console import say
from model_profiling.errors import one_line
from model_profiling.files import write_json
from model_profiling.report.words.digits import milliseconds, percent
from model_profiling.report.words.table import Table
from model_profiling.report.words.verdict import speedup_sentence
from model_profiling.tools.side_arguments import add_side_arguments, read_arguments

Entry = Mapping[str, Any]  # what latency_statistics.json holds of a side


def build_parser() -> CommandParser:
    """Return the command's parser."""
    parser = CommandParser(
        prog="robust_latency_analysis.py", description=__doc__.splitlines()[0], epilog="Writes latency_statistics.json."
    )
    add_side_arguments(parser)
    return parser


def main() -> None:
    args = build_parser().parse_args()
    sides = read_arguments(args)
    entries = [latency_entry(side) for pair in sides.pairs for side in pair if side]
    comparisons = [latency_comparison(first, second) for first, second in sides.pairs if second]
    path = write_json(
        sides.folder / "latency_statistics.json",
        {
            "schema_version": 1,
            "measured": "Method::execute, traced",
            "experiments": entries,
            "comparisons": [compared.to_json() for compared in comparisons],
        },
    )
    _table(entries).show()
    if args.verbose:
        _launches(entries).show()
    for compared in comparisons:
        say(one_line(speedup_sentence(compared, quick=False)))
    say(str(path))


def _table(entries: Sequence[Entry]) -> Table:
    columns = (
        "experiment",
        "threads",
        "executions",
        "time ms",
        "median",
        "p10",
        "p90",
        "min",
        "max",
        "robust spread",
        "outliers",
    )
    rows = []
    for entry in entries:
        statistics = entry["statistics"]
        half = (statistics["p90"] - statistics["p10"]) / 2
        rows.append(
            (
                entry["name"],
                entry["threads"],
                str(statistics["count"]),
                milliseconds(entry["time_ms"], half),
                *(milliseconds(statistics[key], half) for key in ("median", "p10", "p90", "min", "max")),
                percent(statistics["robust_variation"]),
                _outliers(statistics["outliers"]),
            )
        )
    return Table("End-to-end latency (traced executions)", columns, tuple(rows), frozenset(columns[1:-1]))


def _outliers(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items() if count) or "none"


def _launches(entries: Sequence[Entry]) -> Table:
    rows = [
        (entry["name"], entry["threads"], str(pair), milliseconds(median))
        for entry in entries
        for pair, median in entry["launch_medians_ms"].items()
    ]
    columns = ("experiment", "threads", "pair", "median ms")
    return Table("Median of each launch", columns, tuple(rows), frozenset(columns[1:]))


if __name__ == "__main__":
    run_command(main)
