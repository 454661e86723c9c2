#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write a package for a model of your own that exports as it stands, with the places to change marked."""

from __future__ import annotations

import importlib.util
import shlex
import sys
from pathlib import Path

if importlib.util.find_spec("model_profiling") is None:
    sys.stderr.write(
        f"error: this Python lacks the kit, at {sys.executable}: run model_profiling/scripts/setup_repo.sh, "
        "then start this with .venv/bin/python\n"
    )
    sys.exit(2)

from model_profiling import PACKAGE_DIR
from model_profiling.command import CommandParser, run_command
from model_profiling.console import say
from model_profiling.models.scaffolding import write_package


def build_parser() -> CommandParser:
    """Return the command's parser."""
    parser = CommandParser(prog="new_model.py", description=__doc__)
    parser.add_argument(
        "--name", required=True, metavar="NAME", help="the model's and the package's name, as in my_model"
    )
    parser.add_argument(
        "--dest",
        type=Path,
        default=Path("."),
        metavar="DIR",
        help="folder that the package is put into (default: the current one)",
    )
    return parser


def main() -> int:
    arguments = build_parser().parse_args()
    package = write_package(arguments.name, arguments.dest)
    for path in sorted(package.iterdir()):
        say(f"wrote {path}")
    say()
    say("It exports as it stands; the places to change are marked CHANGE. From here to a report:")
    for command in next_commands(arguments.name, package):
        say(f"  {command}")
    say()
    say(f"Its tests: {_command('-m', 'pytest', str(package))}  # pytest comes with setup_repo.sh --with-tests")
    return 0


def next_commands(name: str, package: Path) -> list[str]:
    """Return the commands that follow, ready to paste: export, configuration, pipeline with its report."""
    home = Path(f"out_{name}")
    pte = home / "artifacts" / f"{name}_xnnpack_fp16.pte"
    return [
        _command(_script("export/export_model.py"), "--model-file", str(package), "--explain"),
        _command(_script("scripts/generate_config.py"), "--model", str(pte), "--output", str(home)),
        _command(_script("scripts/mac_pipeline.py"), "--config", str(home / "config.json")),
    ]


def _script(path: str) -> str:
    """Return the command's path as it is typed from here: relative in a checkout, else the installed one's."""
    script = PACKAGE_DIR / path
    return str(script.relative_to(Path.cwd())) if script.is_relative_to(Path.cwd()) else str(script)


def _command(*words: str) -> str:
    return shlex.join(["python", *words])


if __name__ == "__main__":
    run_command(main)
