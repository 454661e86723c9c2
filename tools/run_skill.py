#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Run a skill to its verdict: prerequisites, steps, success criteria, metrics, in one shell.

In this checkout, or with --fresh in a new clone in a home of its own. What needs a phone, macOS,
root or another site runs against stand-ins, or not at all, and is reported so. A run that was
interrupted goes on where it was. Exit status 0 where every skill passed, 1 where one did not.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tools.own_python import require_packages

require_packages("runs skills")

import json

from model_profiling.command import CommandParser, run_command
from model_profiling.console import say
from model_profiling.errors import MeasurementError, UserError
from tools import REPOSITORY
from tools.pages.checks.checker import Checker
from tools.pages.running.lent_packages import add_lending
from tools.skills.catalogue import chosen, require_form, skills
from tools.skills.chain import Chain
from tools.skills.result import document
from tools.skills.showing import Screen


def build_parser() -> CommandParser:
    """Return the command's parser."""
    parser = CommandParser(prog="run_skill.py", description=__doc__.splitlines()[0])
    parser.add_argument("skill", nargs="?", metavar="NN", help="a skill's number, file or name")
    parser.add_argument("--all", action="store_true", help="run every skill, one after the other")
    parser.add_argument("--list", action="store_true", help="say what would run here and what not, and run nothing")
    parser.add_argument(
        "--json", action="store_true", help="print one JSON document, and nothing else, on standard output"
    )
    parser.add_argument(
        "--fresh",
        action="store_true",
        help="run in a new clone of the last commit in an empty home, with the skills that come before",
    )
    parser.add_argument("--restart", action="store_true", help="forget what an interrupted run did")
    add_lending(parser)
    return parser


def main() -> None:
    args = build_parser().parse_args()
    checker = Checker.of(REPOSITORY)
    catalogue = skills(checker)
    if bool(args.skill) == args.all and not (args.list and not args.skill):
        raise UserError(
            "it takes the number of one skill, or --all",
            "on the command line of run_skill.py",
            f"name one of {', '.join(form.number for form in catalogue)}",
        )
    if args.lend_packages and not args.fresh:
        raise UserError("--lend-packages is for a new home", "on the command line of run_skill.py", "add --fresh")
    wanted = [chosen(args.skill, catalogue)] if args.skill else catalogue
    for form in wanted:
        require_form(form, checker)
    chain = Chain(checker, catalogue, wanted, Screen(silent=args.json))
    if args.list:
        results = chain.plan()
    elif args.fresh:
        results = chain.run_fresh(args.lend_packages)
    else:
        results = chain.run_in_place(restart=args.restart)
    if args.json:
        say(json.dumps(document(results), indent=2, ensure_ascii=False, allow_nan=False))
    _conclude(chain, results)


def _conclude(chain: Chain, results: list[dict[str, Any]]) -> None:
    """Raise what the exit status stands for."""
    chain.raise_interrupt()
    wrong = [result for result in results if result["status"] == "failed"]
    if wrong:
        first = wrong[0]
        raise MeasurementError(f"skill {first['skill']} {first['name']} did not pass")


if __name__ == "__main__":
    run_command(main)
