#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Check the set-up: prerequisites, packages, versions, imports, the kit's files, runners that really run."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

if importlib.util.find_spec("model_profiling") is None:
    sys.stderr.write(
        f"error: this Python lacks the kit, at {sys.executable}: run model_profiling/scripts/setup_repo.sh, "
        "then start this with .venv/bin/python\n"
    )
    sys.exit(2)

from model_profiling.command import CommandParser, run_command
from model_profiling.findings import conclude


def build_parser() -> CommandParser:
    """Return the command's parser."""
    parser = CommandParser(prog="validate_setup.py", description=__doc__)
    parser.add_argument(
        "--prerequisites", action="store_true", help="check what the machine must have, and nothing else"
    )
    parser.add_argument(
        "--model",
        type=Path,
        metavar="PTE",
        help="check this model too, and use it to try the runners (default: export a small one)",
    )
    return parser


def main() -> None:
    args = build_parser().parse_args()
    from model_profiling.pipeline.setup_checks import check_setup, prerequisites

    findings = prerequisites.check_prerequisites() if args.prerequisites else check_setup(args.model)
    conclude(findings, f"the set-up in {sys.prefix}")


if __name__ == "__main__":
    run_command(main)
