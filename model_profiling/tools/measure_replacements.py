#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Export each replacement of export_friendly beside its original and print what it saves on this machine."""

from __future__ import annotations

import importlib.util
import sys

if importlib.util.find_spec("model_profiling") is None:
    sys.stderr.write(
        f"error: this Python lacks the kit, at {sys.executable}: run model_profiling/scripts/setup_repo.sh, "
        "then start this with .venv/bin/python\n"
    )
    sys.exit(2)

from model_profiling.command import CommandParser, run_command
from model_profiling.console import say
from model_profiling.errors import UserError, nearest
from model_profiling.export.recipes import floating_recipes

_ROW = "{:<22}  {:<29}  {:<5}  {:>9}  {:>7}  {:>8}  {:>8}"


def build_parser() -> CommandParser:
    """Return the command's parser."""
    parser = CommandParser(prog="measure_replacements.py", description=__doc__)
    parser.add_argument("--only", metavar="NAME", nargs="+", help="these replacements alone")
    parser.add_argument("--dtype", choices=floating_recipes(), help="in this one alone (default: both)")
    parser.add_argument("--all-dtypes", action="store_true", help="also where a replacement saves nothing")
    return parser


def main() -> int:
    arguments = build_parser().parse_args()
    from model_profiling.export.quiet import quiet
    from model_profiling.export.replacements import EXECUTIONS, REPLACEMENTS, measure

    names = {entry.name for entry in REPLACEMENTS}
    for name in arguments.only or ():
        if name not in names:
            raise UserError(
                f"there is no replacement {name!r}{nearest(name, names)}",
                "in --only",
                "see its name in export_friendly.py",
            )
    dtypes = (arguments.dtype,) if arguments.dtype else floating_recipes()
    say(f"before -> after, one thread, medians of {EXECUTIONS} executions in turn")
    say(_ROW.format("replacement", "for", "dtype", "delegates", "outside", "ms", "ms after"))
    for entry in REPLACEMENTS:
        for dtype in dtypes:
            wanted = not arguments.only or entry.name in arguments.only
            if not wanted or (dtype not in entry.dtypes and not arguments.all_dtypes):
                continue
            with quiet(verbose=False):
                before, after = measure(entry, dtype)
            say(
                _ROW.format(
                    entry.name,
                    entry.replaces,
                    dtype,
                    f"{before.delegates} -> {after.delegates}",
                    f"{before.portable} -> {after.portable}",
                    f"{before.median_ms:.3f}",
                    f"{after.median_ms:.3f}",
                )
            )
    return 0


if __name__ == "__main__":
    run_command(main)
