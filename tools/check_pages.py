#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Check pages, skills and READMEs without running them: commands, flags, files, links, JSON, style.

One line a problem, "page.md:42:7: error: what is wrong"; exit status 0 where there is none, else 2.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tools.own_python import require_packages

require_packages("checks pages")

from model_profiling.command import CommandParser, run_command
from model_profiling.console import say
from model_profiling.errors import UserError
from model_profiling.wording import count
from tools import REPOSITORY
from tools.pages.checks import shellcheck
from tools.pages.checks.checker import Checker, OptOut, opt_outs
from tools.pages.reading.document import Document
from tools.pages.reading.problems import Problem


def build_parser() -> CommandParser:
    """Return the command's parser."""
    parser = CommandParser(prog="check_pages.py", description=__doc__.splitlines()[0])
    parser.add_argument(
        "paths",
        nargs="*",
        type=Path,
        metavar="PATH",
        help="Markdown files, or folders of them (default: every one of the repository)",
    )
    parser.add_argument("--json", action="store_true", help="print the problems as JSON")
    parser.add_argument(
        "--list-commands", action="store_true", help="list the command lines of the pages, and check nothing"
    )
    return parser


def main() -> None:
    args = build_parser().parse_args()
    checker = Checker.of(REPOSITORY)
    pages = checker.named(args.paths, checker.default_pages())
    if args.list_commands:
        _list_commands(checker, pages, args.json)
        return
    problems, skipped = checker.check(pages), opt_outs(pages)
    if args.json:
        say(
            json.dumps(
                {
                    "pages": [page.name for page in pages],
                    "problems": [p.to_json() for p in problems],
                    "opt_outs": [asdict(o) for o in skipped],
                },
                indent=2,
                ensure_ascii=False,
            )
        )
    else:
        _print(problems, skipped)
    if problems:
        wrong = len({problem.path for problem in problems})
        raise UserError(
            f"{count(len(problems), 'problem')} found",
            f"in {count(wrong, 'page')}",
            "correct what the lines above name",
        )
    if not args.json:
        lines = sum(len(checker.follow(page).steps) for page in pages)
        say(f"{count(len(pages), 'page')} in order, {count(lines, 'command line')} followed")


def _print(problems: Sequence[Problem], skipped: Sequence[OptOut]) -> None:
    for problem in problems:
        say(str(problem))
    for opt_out in skipped:
        say(f"{opt_out.path}:{opt_out.place}: note: {opt_out.what}: {opt_out.reason}")
    if skipped:
        say(f"{count(len(skipped), 'opt-out')}")
    if not shellcheck.installed():
        say("note: shellcheck is not installed, so no shell block was checked with it")


def _list_commands(checker: Checker, pages: Sequence[Document], as_json: bool) -> None:
    steps = [(page.name, step) for page in pages for step in checker.follow(page).steps]
    if as_json:
        say(
            json.dumps(
                [
                    {"path": name, "line": step.statement.place.line, "command": step.statement.text}
                    for name, step in steps
                ],
                indent=2,
                ensure_ascii=False,
            )
        )
        return
    for name, step in steps:
        first, _, more = step.statement.text.partition("\n")
        say(f"{name}:{step.statement.place.line}: {first}{' ...' if more else ''}")


if __name__ == "__main__":
    run_command(main)
