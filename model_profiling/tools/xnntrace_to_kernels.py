#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Turn XNNPACK's log into a kernel table: which kernels it registered while loading a model.

The table has the columns of a run's `_kernels.csv`. Its evidence is "registered": the log
says which kernels stood ready, not which ran. So `calls` is empty and not 0, which would
say that a kernel never ran, and `layer` is empty too: a kernel table serves every layer of
its kind. `operator` holds that kind as XNNPACK writes it ("gemm", "dwconv"). `role` and
`family` come from the kernel's name: what has a word such as pack, packw or packq in it packs.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
from pathlib import Path

if importlib.util.find_spec("model_profiling") is None:
    sys.stderr.write(
        f"error: this Python lacks the kit, at {sys.executable}: run model_profiling/scripts/setup_repo.sh, "
        "then start this with .venv/bin/python\n"
    )
    sys.exit(2)

from model_profiling.analysis.kernels.xnntrace import XnnTrace, kernel_rows, read_xnntrace
from model_profiling.analysis.tables.kernels import kernels_csv, refuse_overwriting
from model_profiling.command import CommandParser, run_command
from model_profiling.console import say
from model_profiling.errors import one_line
from model_profiling.files import write_bytes
from model_profiling.pipeline.kernel_names import FAMILIES, FAMILY_TITLES, PACK, family_of, role_of
from model_profiling.report.words.table import Table
from model_profiling.wording import count


def build_parser() -> CommandParser:
    """Return the command's parser."""
    parser = CommandParser(prog="xnntrace_to_kernels.py", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--xnntrace",
        type=Path,
        nargs="+",
        required=True,
        metavar="F",
        help="log of a runner built with XNNPACK's log level 4 or 5: its stderr (and stdout, for the "
        "operators of level 5) or logcat; several files must be of one process",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="CSV", help="the kernel table to write")
    parser.add_argument(
        "--model-id", type=_model_id, metavar="ID", help="model name for the table (default: the log's file name)"
    )
    return parser


def main() -> None:
    args = build_parser().parse_args()
    refuse_overwriting(args.out, args.xnntrace)
    trace = read_xnntrace(args.xnntrace)
    model = args.model_id or args.xnntrace[0].name.partition(".")[0] or args.xnntrace[0].name
    path = write_bytes(args.out, kernels_csv(kernel_rows(trace, model)))
    _show(trace, model)
    say(one_line(str(path)))


def _model_id(value: str) -> str:
    if not value.strip():
        raise argparse.ArgumentTypeError("a model's name cannot be empty")
    return value


def _show(trace: XnnTrace, model: str) -> None:
    say(
        one_line(
            f"{model}: {count(trace.lines, 'line')} of the log name {len(trace.names)} "
            "kernels, registered while loading: candidates, not calls"
        )
    )
    if trace.cut:
        say(
            f"note: {count(trace.cut, 'line')} {'was' if trace.cut == 1 else 'were'} cut short before the kernel's "
            "name ended: left out"
        )
    say()
    rows = []
    for family in FAMILIES:
        names = [name for name in trace.names if family_of(name) == family]
        lines = sum(named.lines for named in trace.kernels if family_of(named.kernel) == family)
        if names:
            packing = sum(role_of(name) == PACK for name in names)
            rows.append((FAMILY_TITLES[family], str(len(names)), str(packing), str(lines)))
    Table(
        "Registered kernels by family",
        ("family", "kernels", "of them packing", "lines"),
        tuple(rows),
        frozenset(("kernels", "of them packing", "lines")),
    ).show()
    if trace.operators or trace.skipped:
        operators = dict.fromkeys((*trace.operators, *trace.skipped))
        Table(
            "Operators that ran (log level 5, all executions)",
            ("operator", "calls", "skipped"),
            tuple((name, str(trace.operators.get(name, 0)), str(trace.skipped.get(name, 0))) for name in operators),
            frozenset(("calls", "skipped")),
        ).show()


if __name__ == "__main__":
    run_command(main)
