#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write the kernels of two runs side by side as Markdown: with SME2 on and off, by family and by layer.

Takes kernel tables of either kind of evidence: a run's `_kernels.csv` (called) or what
xnntrace_to_kernels.py wrote (registered). Layers match where both tables know them,
because operators with and without SME2 have different names.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path

if importlib.util.find_spec("model_profiling") is None:
    sys.stderr.write(
        f"error: this Python lacks the kit, at {sys.executable}: run model_profiling/scripts/setup_repo.sh, "
        "then start this with .venv/bin/python\n"
    )
    sys.exit(2)

from model_profiling.analysis.kernels.side_by_side import compare_kernels
from model_profiling.analysis.tables.kernels import KernelRow, read_kernels, refuse_overwriting
from model_profiling.command import CommandParser, run_command
from model_profiling.console import say
from model_profiling.errors import one_line
from model_profiling.files import write_bytes
from model_profiling.report.kernel_markdown import families, family_sentence, noun, render_kernel_view
from model_profiling.report.words.kernels import view_notes
from model_profiling.wording import count


def build_parser() -> CommandParser:
    """Return the command's parser."""
    parser = CommandParser(prog="generate_kernel_view.py", description=__doc__.splitlines()[0])
    parser.add_argument("--on", type=Path, required=True, metavar="CSV", help="kernel table with SME2 on")
    parser.add_argument("--off", type=Path, required=True, metavar="CSV", help="kernel table with SME2 off")
    parser.add_argument("--out", type=Path, required=True, metavar="MD", help="the Markdown file to write")
    parser.add_argument(
        "--filter-op",
        metavar="OP",
        help="only layers and operators with an operator whose name contains OP, in any case",
    )
    return parser


def main() -> None:
    args = build_parser().parse_args()
    refuse_overwriting(args.out, (args.on, args.off))
    on, off = read_kernels(args.on), read_kernels(args.off)
    view = compare_kernels(on, off, args.filter_op)
    models = ", ".join(dict.fromkeys(row.model_id for row in (*on, *off)))
    sources = [(side, _source(path, rows)) for side, path, rows in (("On", args.on, on), ("Off", args.off, off))]
    text = render_kernel_view(view, models, sources, args.filter_op)
    path = write_bytes(args.out, text.encode("utf-8", "replace"))
    say(
        one_line(
            f"{models}: {family_sentence(view)} Kernels differ in {view.differing} of "
            f"{count(len(view.matched), noun(view))}. Evidence: {', '.join(sorted(view.evidence))}."
        )
    )
    say()
    families(view).show()
    for note in view_notes(view):
        say(one_line(f"note: {note}"))
    say(str(path))


def _source(path: Path, rows: Sequence[KernelRow]) -> str:
    """Return what a table is, in words."""
    experiments = ", ".join(filter(None, dict.fromkeys(row.experiment for row in rows)))
    evidence = ", ".join(dict.fromkeys(row.evidence for row in rows)) or "no kernel"
    return f"{path.name}{f', experiment {experiments}' if experiments else ''} ({evidence})"


if __name__ == "__main__":
    run_command(main)
