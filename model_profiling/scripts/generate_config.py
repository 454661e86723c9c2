#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write a configuration for an exported model, or for a sweep of several models: DIR/config.json."""

from __future__ import annotations

import importlib.util
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

if importlib.util.find_spec("model_profiling") is None:
    sys.stderr.write(
        f"error: this Python lacks the kit, at {sys.executable}: run model_profiling/scripts/setup_repo.sh, "
        "then start this with .venv/bin/python\n"
    )
    sys.exit(2)

from model_profiling.command import CommandParser, run_command
from model_profiling.console import say
from model_profiling.errors import UserError
from model_profiling.files import json_bytes, write_json
from model_profiling.fleet.config import parse_sweep_config
from model_profiling.fleet.plan import make_plan
from model_profiling.fleet.templates import sweep_template
from model_profiling.pipeline.config import AUTO
from model_profiling.pipeline.config_templates import PLATFORMS, ExperimentKeys, Template, missing_runners, run_template
from model_profiling.pipeline.program.signature import read_methods
from model_profiling.pipeline.variations import Asked, Variation, variations
from model_profiling.wording import count


def build_parser() -> CommandParser:
    """Return the command's parser."""
    parser = CommandParser(prog="generate_config.py", description=__doc__)
    models = parser.add_mutually_exclusive_group()
    models.add_argument("--model", type=Path, metavar="PTE", help="the exported model")
    models.add_argument(
        "--sweep",
        nargs="+",
        metavar="MODEL",
        help="write a sweep's configuration instead, of these: names, model files or .pte files",
    )
    parser.add_argument(
        "--against",
        type=Path,
        metavar="PTE",
        help="the program to compare the model with, such as itself before a change: the two are measured in pairs, "
        "and no CPU feature is switched",
    )
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="folder for config.json")
    parser.add_argument(
        "--platform",
        choices=PLATFORMS,
        default="mac",
        help="mac: this host, macOS or Linux (default); android: a device over adb",
    )
    parser.add_argument(
        "--method",
        metavar="NAME",
        nargs="+",
        default=[],
        help="of a program with several methods measure only these; default: each, with its own comparison",
    )
    shapes = parser.add_mutually_exclusive_group()
    shapes.add_argument(
        "--input-shapes",
        metavar="SHAPES",
        nargs="+",
        default=[],
        help="of a program whose shapes vary measure these: for each the shapes of all inputs, such as 1x16,16",
    )
    shapes.add_argument(
        "--dimension", metavar="NAME=N,N", help="the same by a dimension that the export recorded, such as rows=1,8,128"
    )
    parser.add_argument("--interactive", action="store_true", help="ask for pairs, runs and threads")
    return parser


def main() -> int:
    args = build_parser().parse_args()
    target = args.output / "config.json"
    if args.sweep:
        given = args.against or args.method or args.input_shapes or args.dimension or args.interactive
        if given:
            raise UserError(
                "--sweep takes no flags of one run",
                "on the command line",
                "give --output and --platform alone, and change the rest in the file",
            )
        return _write_sweep(args.sweep, args.platform, target)
    if args.model is None:
        raise UserError("no model is named", "on the command line", "use --model PTE, or --sweep MODEL...")
    found = variations(args.model, Asked(args.method, args.input_shapes, args.dimension))
    config = run_template(args.platform)
    config["model"] = str(args.model)
    config["output_root"] = str(args.output / "runs" / args.platform)
    if args.against:
        _check_other(args.model, args.against)
        compare_programs(config, args.against)
    vary(config, found)
    if args.interactive:
        _ask(config)
    _write(target, config)
    missing = missing_runners(config)
    if missing:
        names = " ".join(Path(path).parent.name for path in missing)
        say(
            f"first: bash model_profiling/scripts/build_runners.sh --source {names}"
            "  # takes Android's NDK, named by ANDROID_NDK_HOME"
        )
    say(f"next: python model_profiling/scripts/{args.platform}_pipeline.py --config {shlex.quote(str(target))}")
    return 0


def _write_sweep(models: Sequence[str], platform: str, target: Path) -> int:
    """Write the configuration of a sweep of these models, checked as sweep.py does."""
    config = sweep_template(models, platform, target.parent)
    cells = make_plan(parse_sweep_config(config, target), seed=0).cells
    _write(target, config)
    say(f"{count(len(cells), 'cell')}: models x dtypes x threads x devices; change the lists in the file")
    say(f"next: python model_profiling/scripts/sweep.py --config {shlex.quote(str(target))}")
    return 0


def _write(target: Path, config: object) -> None:
    if target.exists() and target.read_bytes() != json_bytes(config):
        raise UserError(
            "another configuration is there already",
            f"at {target}",
            "move it away, or name another folder with --output",
        )
    write_json(target, config)
    say(f"wrote {target}")


def _check_other(after: Path, before: Path) -> None:
    """Raise the `UserError` for a program that nothing can be compared with."""
    read_methods(before)
    if before.resolve() == after.resolve():
        fix = "name another program, or measure this machine's noise with --aa"
        raise UserError(f"{before} would be compared with itself", "in --against", fix)


def compare_programs(config: Template, before: Path) -> None:
    """Replace the template's experiments by its first one, on the program `before` and on the configuration's own."""
    first = config["experiments"][0]
    config["experiments"] = [{**first, "name": "before", "model": str(before)}, {**first, "name": "after"}]
    config["analysis"] = {"compare_pairs": [["before", "after"]]}


def vary(config: Template, found: Sequence[Variation]) -> None:
    """Have each of the template's experiments, and each of its comparisons, once for every variation."""

    def named(name: str, one: Variation) -> str:
        return "_".join(filter(None, (name, one.label)))

    def keys(one: Variation) -> ExperimentKeys:
        method: ExperimentKeys = {} if one.method is None else {"method": one.method}
        shapes: ExperimentKeys = {"input_shapes": [list(s) for s in one.input_shapes]} if one.input_shapes else {}
        return {**method, **shapes}

    pairs = config["analysis"]["compare_pairs"]
    config["experiments"] = [
        {**experiment, "name": named(experiment["name"], one), **keys(one)}
        for one in found
        for experiment in config["experiments"]
    ]
    config["analysis"] = {"compare_pairs": [[named(name, one) for name in pair] for one in found for pair in pairs]}


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
