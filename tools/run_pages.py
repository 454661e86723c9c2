#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Run pages as a reader would: in a home of its own, one shell a page, every output compared.

The public address of the repository leads to this checkout's last commit. What needs a phone, macOS
or another site runs against stand-ins, or not at all, and is reported so. Exit status 0 where every
line ended as the page says, 1 where one did not.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tools.own_python import require_packages

require_packages("runs pages")

from model_profiling.command import CommandParser, run_command
from model_profiling.console import say
from model_profiling.errors import MeasurementError
from model_profiling.wording import count
from tools import REPOSITORY
from tools.pages.checks.checker import Checker, opt_outs
from tools.pages.reading.document import Document
from tools.pages.running import account
from tools.pages.running.engine import NOT_REACHED, PageRun, chains, run_chain
from tools.pages.running.lent_packages import add_lending
from tools.pages.running.workspace import tell_of_changes


def build_parser() -> CommandParser:
    """Return the command's parser."""
    parser = CommandParser(prog="run_pages.py", description=__doc__.splitlines()[0])
    parser.add_argument(
        "paths",
        nargs="*",
        type=Path,
        metavar="PATH",
        help="Markdown files, or folders of them (default: the learning path's pages)",
    )
    parser.add_argument("--list", action="store_true", help="say what would run and what not, and run nothing")
    add_lending(parser)
    return parser


def main() -> None:
    args = build_parser().parse_args()
    checker = Checker.of(REPOSITORY)
    content = [path for path in checker.default_pages() if "learning-paths" in path.parts]
    pages = [page for page in checker.named(args.paths, content) if checker.follow(page).steps]
    if not pages:
        say("no page has a command line")
        return
    if args.list:
        _list(checker, pages)
        return
    tell_of_changes()
    runs = [
        run
        for chain in chains(pages, checker)
        for run in run_chain(chain, checker, account.show_run, lends=args.lend_packages)
    ]
    _conclude(runs, whole=not args.paths)


def _list(checker: Checker, pages: Sequence[Document]) -> None:
    plans = {page.name: [account.planned(step) for step in checker.follow(page).steps] for page in pages}
    for name, lines in plans.items():
        account.show_lines(name, lines, timed=False)
        say()
    account.show_sums([line for lines in plans.values() for line in lines])


def _conclude(runs: Sequence[PageRun], whole: bool) -> None:
    """Print the sums; raise `MeasurementError` where something failed, or too little was executed."""
    lines = [line for run in runs for line in run.lines]
    account.show_sums(lines, sum(run.compared for run in runs), sum(len(run.not_compared) for run in runs))
    for opt_out in opt_outs([run.document for run in runs]):
        say(f"{opt_out.path}:{opt_out.place}: note: {opt_out.what}: {opt_out.reason}")
    problems = [problem for run in runs for problem in run.problems]
    missed = sum(line.outcome == NOT_REACHED for line in lines)
    if problems or missed:
        first = min(problems, default=None)
        raise MeasurementError(
            f"{count(len(problems), 'problem')}, {missed} lines not reached"
            + (f"; the first at {first.path}:{first.place}" if first else "")
        )
    share = account.share(lines)
    if whole and share is not None and share < account.LEAST_SHARE:
        raise MeasurementError(
            f"only {100 * share:.0f} % of the command lines were executed, "
            f"{100 * account.LEAST_SHARE:.0f} % are asked for"
        )
    if os.environ.get("CI") and any("is not installed" in line.why for line in lines):
        raise MeasurementError("a program that the pages call is not installed here")


if __name__ == "__main__":
    run_command(main)
