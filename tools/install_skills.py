#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Lay the skills out where coding assistants look: one folder a skill, NAME/SKILL.md.

Run it again after a change; it writes only what differs, and never over a folder that is not the
kit's. With --check it writes nothing: exit status 0 where every skill is there and fresh, else 2.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tools.own_python import require_packages

require_packages("reads skills")

from model_profiling.command import CommandParser, run_command
from model_profiling.console import say
from model_profiling.errors import UserError
from tools import REPOSITORY
from tools.pages.checks.checker import Checker
from tools.skills.catalogue import skills
from tools.skills.installing import FOREIGN, FRESH, GONE, NEW, OLD, install, survey

_TOLD = {NEW: "written", OLD: "updated", FRESH: "fresh", GONE: "removed: the kit has no such skill any more"}
_STATES = {
    NEW: "not there",
    OLD: "not that of this checkout",
    FRESH: "fresh",
    FOREIGN: "not a skill of this kit",
    GONE: "no skill of the kit any more",
}


def build_parser() -> CommandParser:
    """Return the command's parser."""
    parser = CommandParser(prog="install_skills.py", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--dest",
        type=Path,
        required=True,
        metavar="DIR",
        help="the folder that gets a folder for each skill, such as .claude/skills or .agents/skills",
    )
    parser.add_argument("--check", action="store_true", help="say whether they are there and fresh, and write nothing")
    return parser


def main() -> None:
    args = build_parser().parse_args()
    installations = survey(skills(Checker.of(REPOSITORY)), args.dest.expanduser(), REPOSITORY)
    if not args.check:
        install(installations)
    for entry in installations:
        say(f"{entry.folder.name}: {(_STATES if args.check else _TOLD)[entry.state]}")
    differing = sum(entry.state != FRESH for entry in installations)
    if args.check and differing:
        raise UserError(
            f"{differing} of {len(installations)} skills differ",
            f"in {args.dest}",
            f"run tools/install_skills.py --dest {args.dest}",
        )


if __name__ == "__main__":
    run_command(main)
