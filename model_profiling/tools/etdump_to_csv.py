#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Turn one ETDump into CSV tables: every event, the first execution, and operators.

Reads the trace itself, so it needs neither torch nor ExecuTorch and takes well under a
second where ExecuTorch's Inspector takes many.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TypedDict

if importlib.util.find_spec("model_profiling") is None:
    sys.stderr.write(
        f"error: this Python lacks the kit, at {sys.executable}: run model_profiling/scripts/setup_repo.sh, "
        "then start this with .venv/bin/python\n"
    )
    sys.exit(2)

from model_profiling.analysis.comparing.latency import six_numbers
from model_profiling.analysis.tables.operators import operators_csv
from model_profiling.analysis.tables.timeline import first_run_csv, timeline_csv
from model_profiling.analysis.traces.breakdown import break_down
from model_profiling.analysis.traces.etdump import read_etdump
from model_profiling.analysis.traces.operator_stats import OperatorStats, operator_stats
from model_profiling.analysis.traces.recording import Recording, RowIdentity
from model_profiling.analysis.traces.timeline import Timeline, build_timeline, with_delegates
from model_profiling.command import CommandParser, run_command
from model_profiling.console import say
from model_profiling.errors import one_line
from model_profiling.files import write_bytes, write_json
from model_profiling.report.words.digits import milliseconds, percent
from model_profiling.report.words.doubts import without_category
from model_profiling.report.words.table import Table
from model_profiling.wording import capitalized, count

_TOP_OPERATORS = 10
_NS_PER_MS = 1e6


class Summary(TypedDict):
    """The file that --json writes; times in ms."""

    schema_version: int
    model: str
    executions: int
    traced_latency_ms: dict[str, float]
    categories_ms: dict[str, float]
    delegated_ms: float
    portable_ms: float
    unmapped_operators: list[str]
    operators: list[dict[str, object]]


def build_parser() -> CommandParser:
    """Return the command's parser."""
    parser = CommandParser(prog="etdump_to_csv.py", description=__doc__.splitlines()[0])
    parser.add_argument("--etdump", type=Path, required=True, metavar="F", help="the trace to read")
    parser.add_argument(
        "--etrecord", type=Path, metavar="F", help="the model's ETRecord: names the backend of each delegated operator"
    )
    parser.add_argument("--out-dir", type=Path, metavar="DIR", help="where to write (default: beside the trace)")
    parser.add_argument("--json", action="store_true", help="also write a JSON summary, and print it alone")
    parser.add_argument(
        "--model-id",
        type=_model_id,
        metavar="ID",
        help="model name for tables and files (default: the trace's file name)",
    )
    return parser


def main() -> None:
    args = build_parser().parse_args()
    timeline = build_timeline(read_etdump(args.etdump), str(args.etdump))
    if args.etrecord:
        from model_profiling.analysis.traces.etrecord import read_delegates

        timeline = with_delegates(timeline, read_delegates(args.etrecord), str(args.etrecord))
    model = args.model_id or args.etdump.stem
    folder = args.etdump.parent if args.out_dir is None else args.out_dir
    recordings, identity = [Recording(timeline)], RowIdentity(model)
    operators = operator_stats(recordings)
    summary = _summary(model, timeline, operators)
    files = [
        write_bytes(folder / f"{model}_{kind}.csv", content)
        for kind, content in (
            ("all_runs_timeline", timeline_csv(identity, recordings)),
            ("run0_timeline", first_run_csv(identity, recordings)),
            ("ops_stats", operators_csv(identity, operators)),
        )
    ]
    if args.json:
        write_json(folder / f"{model}_summary.json", summary)
        say(json.dumps(summary, indent=2, ensure_ascii=False))
        return
    _show(summary, operators, timeline.unmapped(), files)


def _model_id(value: str) -> str:
    if not value or "/" in value or "\0" in value or value in (".", ".."):
        raise argparse.ArgumentTypeError(f"{value!r} cannot be part of a file name")
    return value


def _summary(model: str, timeline: Timeline, operators: list[OperatorStats]) -> Summary:
    whole = break_down(timeline)
    latency = six_numbers(whole.method / _NS_PER_MS).to_json()
    return {
        "schema_version": 1,
        "model": model,
        "executions": timeline.runs,
        "traced_latency_ms": latency,
        "categories_ms": {name: share * latency["median"] for name, share in whole.mean_shares().items()},
        "delegated_ms": whole.mean_share(whole.delegated) * latency["median"],
        "portable_ms": whole.mean_share(whole.portable) * latency["median"],
        "unmapped_operators": timeline.unmapped(),
        "operators": [asdict(row) for row in operators],
    }


def _show(summary: Summary, operators: list[OperatorStats], unmapped: list[str], files: list[Path]) -> None:
    latency = summary["traced_latency_ms"]
    spread = (latency["p90"] - latency["p10"]) / 2
    runs = count(summary["executions"], "execution")
    say(one_line(f"{summary['model']}: {runs}, median {milliseconds(latency['median'], spread)} ms (traced)"))
    say()
    total = sum(summary["categories_ms"].values())
    Table(
        "Where the time goes",
        ("category", "ms", "share"),
        tuple(
            (name, milliseconds(value, total / 1000), percent(100 * value / total))
            for name, value in summary["categories_ms"].items()
        ),
        frozenset(("ms", "share")),
    ).show()
    shown = operators[:_TOP_OPERATORS]
    Table(
        f"Most expensive operators ({len(shown)} of {len(operators)})",
        ("operator", "category", "calls", "ms", "share"),
        tuple(
            (
                row.name,
                row.category,
                f"{row.calls_per_run:g}",
                milliseconds(row.total_ms_per_run, total / 1000),
                percent(row.pct_of_run),
            )
            for row in shown
        ),
        frozenset(("calls", "ms", "share")),
    ).show()
    if unmapped:
        say(one_line(capitalized(without_category(unmapped))))
    for path in files:
        say(str(path))


if __name__ == "__main__":
    run_command(main)
