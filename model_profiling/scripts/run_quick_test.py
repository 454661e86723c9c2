#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Try the whole kit on a small model: set up, export, profile on and off, report, validate.

Any Python starts it: where there is no .venv yet, setup_repo.sh makes one, and this script
runs again with that one's Python.
"""

import os
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # a Python without the kit starts this too
    from model_profiling.command import CommandParser

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
VENV = os.path.join(ROOT, ".venv")


def enter_venv() -> None:
    """Set .venv up where that is needed, and start this script again with its Python.

    Nothing is done when .venv's own Python runs this, or that of an installed kit.
    """
    in_venv = os.path.realpath(sys.prefix) == os.path.realpath(VENV)
    if in_venv or not os.path.isfile(os.path.join(ROOT, "pyproject.toml")) or {"-h", "--help"} & set(sys.argv):
        sys.path.append(ROOT)  # --help needs no packages
        return
    sys.stdout.flush()
    status = subprocess.call(["bash", os.path.join(ROOT, "model_profiling", "scripts", "setup_repo.sh")])
    if status != 0:
        sys.exit(status)
    python = os.path.join(VENV, "bin", "python")
    os.execv(python, [python, os.path.abspath(__file__)] + sys.argv[1:])


def build_parser() -> "CommandParser":
    """Return the command's parser."""
    from pathlib import Path

    from model_profiling.command import CommandParser
    from model_profiling.scripts.quick_test_workflow import DEFAULT_FOLDER, DEFAULT_MODEL

    parser = CommandParser(prog="run_quick_test.py", description=__doc__)
    parser.add_argument("--platform", choices=("mac",), default="mac", help="mac: this host, macOS or Linux (default)")
    parser.add_argument(
        "--model",
        metavar="NAME",
        default=DEFAULT_MODEL,
        help=f"one that export_model.py --list shows (default {DEFAULT_MODEL})",
    )
    parser.add_argument(
        "--keep",
        type=Path,
        metavar="DIR",
        help=f"keep everything in DIR (default: {DEFAULT_FOLDER}, replaced by the next quick test)",
    )
    return parser


def main() -> None:
    arguments = build_parser().parse_args()
    from model_profiling.scripts.quick_test_workflow import run_quick_test

    run_quick_test(arguments.model, arguments.platform, arguments.keep)


if __name__ == "__main__":
    enter_venv()
    from model_profiling.command import run_command

    run_command(main)
