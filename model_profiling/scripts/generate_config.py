#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write an experiment configuration for an exported model: DIR/config.json."""

from __future__ import annotations

import importlib.util
import shlex
import sys
from pathlib import Path
from typing import TypedDict, cast

if importlib.util.find_spec("model_profiling") is None:
    sys.stderr.write(
        f"error: this Python lacks the kit, at {sys.executable}: run model_profiling/scripts/setup_repo.sh, "
        "then start this with .venv/bin/python\n"
    )
    sys.exit(2)

from model_profiling import PACKAGE_DIR
from model_profiling.command import CommandParser, run_command
from model_profiling.console import say
from model_profiling.errors import UserError
from model_profiling.files import json_bytes, read_json, write_json
from model_profiling.pipeline.config import AUTO
from model_profiling.pipeline.program.signature import read_signature

PLATFORMS = ("mac", "android")


class ExperimentKeys(TypedDict, total=False):
    """What this command reads and writes of an experiment."""

    runs: int | str
    threads: list[int]
    runner_path: str


class Template(TypedDict):
    """What this command reads and writes of a template; its other keys stay as they are."""

    model: str
    output_root: str
    pairs: int
    experiments: list[ExperimentKeys]


def build_parser() -> CommandParser:
    """Return the command's parser."""
    parser = CommandParser(prog="generate_config.py", description=__doc__)
    parser.add_argument("--model", type=Path, required=True, metavar="PTE", help="the exported model")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="folder for config.json")
    parser.add_argument(
        "--platform",
        choices=PLATFORMS,
        default="mac",
        help="mac: this host, macOS or Linux (default); android: a device over adb",
    )
    parser.add_argument("--interactive", action="store_true", help="ask for pairs, runs and threads")
    return parser


def main() -> int:
    args = build_parser().parse_args()
    read_signature(args.model)
    template = PACKAGE_DIR / "configs" / "templates" / f"{args.platform}_template.json"
    config = cast(Template, read_json(template, "template"))  # the kit's own file, which tests validate
    config["model"] = str(args.model)
    config["output_root"] = str(args.output / "runs" / args.platform)
    if args.interactive:
        _ask(config)
    target = args.output / "config.json"
    if target.exists() and target.read_bytes() != json_bytes(config):
        raise UserError(
            "another configuration is there already",
            f"at {target}",
            "move it away, or name another folder with --output",
        )
    write_json(target, config)
    say(f"wrote {target}")
    missing = [
        e["runner_path"] for e in config["experiments"] if "runner_path" in e and not Path(e["runner_path"]).is_file()
    ]
    if missing:
        names = " ".join(Path(path).parent.name for path in missing)
        say(
            f"first: bash model_profiling/scripts/build_runners.sh --source {names}"
            "  # takes Android's NDK, named by ANDROID_NDK_HOME"
        )
    say(f"next: python model_profiling/scripts/{args.platform}_pipeline.py --config {shlex.quote(str(target))}")
    return 0


def _ask(config: Template) -> None:
    """Replace values by the user's answers; an empty answer keeps the value shown."""
    first = config["experiments"][0]
    config["pairs"] = _positive_numbers("pairs of launches", [config["pairs"]])[0]
    runs = _executions(first["runs"])
    threads = _positive_numbers("thread counts, separated by spaces", first["threads"])
    for experiment in config["experiments"]:
        experiment["runs"], experiment["threads"] = runs, threads


def _executions(default: int | str) -> int | str:
    print(f"executions a launch, or {AUTO} [{default}]: ", end="", flush=True)
    answer = _answer().strip()
    if answer in ("", AUTO):
        return answer or default
    if not answer.isdecimal() or int(answer) < 1:
        raise UserError(
            f"{answer!r} is not a whole number above 0", "as executions a launch", f"give for example 20, or {AUTO}"
        )
    return int(answer)


def _answer() -> str:
    line = sys.stdin.readline()
    if not line:
        raise UserError(
            "the answers ended early", "on standard input", "answer every question, or leave out --interactive"
        )
    return line


def _positive_numbers(label: str, default: list[int]) -> list[int]:
    print(f"{label} [{' '.join(map(str, default))}]: ", end="", flush=True)
    answer = _answer()
    words = answer.replace(",", " ").split()
    if not all(word.isdigit() and int(word) > 0 for word in words):
        raise UserError(
            f"{answer.strip()!r} is not a whole number above 0", f"as {label}", "give for example 1, or 1 2 for several"
        )
    return list(dict.fromkeys(int(word) for word in words)) or default


if __name__ == "__main__":
    run_command(main)
