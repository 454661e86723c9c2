#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# /// script
# requires-python = ">=3.10"
# dependencies = [
#   "sme-executorch-profiling[export] @ git+https://github.com/ArmDeveloperEcosystem/sme-executorch-profiling",
# ]
# ///
"""Find the rewrites that make a model faster here: export combinations, compare them in pairs, keep what pays.

Writes the tuned .pte with its record, TUNING.md and tuning.json with all that was tried, and a report of before against
after. What is kept agrees with the eager model and is faster beyond the noise; where nothing is, the plain program is
the result.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys

if importlib.util.find_spec("model_profiling") is None:  # this Python lacks the kit
    if shutil.which("uv") and not os.environ.get("SME2_KIT_BOOTSTRAP"):
        os.environ["SME2_KIT_BOOTSTRAP"] = "1"
        os.execvp("uv", ["uv", "run", "--script", os.path.abspath(__file__), *sys.argv[1:]])
    print(
        "error: this Python lacks the kit, at " + sys.executable + ": run model_profiling/scripts/setup_repo.sh, "
        "then start this with .venv/bin/python; or install uv",
        file=sys.stderr,
    )
    sys.exit(2)

import argparse
import math
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from model_profiling.command import CommandParser, run_command
from model_profiling.errors import UserError
from model_profiling.export.arguments import add_group_size, add_model_file, add_weights
from model_profiling.paired_statistics import MIN_PAIRS_FOR_VERDICT

if TYPE_CHECKING:
    from model_profiling.scripts.tuning.request import TuningRequest

_DEFAULT_PAIRS = 12
_DEFAULT_MINUTES = 30.0
_MINUTE_S = 60
_MOST_THREADS = 1024  # as in a configuration


def build_parser() -> CommandParser:
    """Return the command's parser."""
    parser = CommandParser(prog="tune_model.py", description=__doc__.splitlines()[0])
    parser.add_argument("--model", metavar="NAME", help="a model's name; see export_model.py --list")
    add_model_file(parser)
    add_weights(parser)
    parser.add_argument("--method", metavar="NAME", help="the method to tune, of a model that has several")
    parser.add_argument("--dtype", metavar="DTYPE", help=_dtypes())
    add_group_size(parser)
    parser.add_argument(
        "--outdir", metavar="DIR", type=Path, help="folder for everything (default: out_<model>/tuned_<dtype>)"
    )
    parser.add_argument(
        "--rewrites",
        metavar="NAME",
        nargs="+",
        default=["all"],
        help="which to try: names as export_model.py --list-rewrites shows them (default: all that apply)",
    )
    _add_how_to_measure(parser)
    parser.add_argument("--resume", action="store_true", help="go on with a tuning that was ended")
    return parser


def _add_how_to_measure(parser: CommandParser) -> None:
    parser.add_argument(
        "--pairs",
        type=int,
        metavar="N",
        default=_DEFAULT_PAIRS,
        help=f"pairs of the last comparison, and of those that {MIN_PAIRS_FOR_VERDICT} pairs leave open "
        f"(default {_DEFAULT_PAIRS})",
    )
    parser.add_argument(
        "--budget",
        type=_minutes,
        metavar="MINUTES",
        default=_DEFAULT_MINUTES,
        help="how long all of it may take; two exports, the first comparison and the last are made in any case "
        f"(default {_DEFAULT_MINUTES:g})",
    )
    parser.add_argument("--threads", type=int, metavar="N", default=1, help="threads of each launch (default 1)")
    parser.add_argument(
        "--aa",
        action="store_true",
        help="first run plain against itself to measure this machine's noise floor: what is within it is no gain",
    )
    parser.add_argument(
        "--share-cpu", action="store_true", help="measure although another run measures on this machine"
    )


def _dtypes() -> str:
    from model_profiling.export.recipes import DEFAULT

    return f"as export_model.py takes it (default {DEFAULT})"


def _minutes(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is no number of minutes above 0")
    return value


def main() -> None:
    arguments = build_parser().parse_args()
    request = _request(arguments)
    from model_profiling.scripts.tune_workflow import tune
    from model_profiling.scripts.tuning.folder import tuning_folder

    outdir = arguments.outdir or tuning_folder(Path(request.label).stem, request.dtype)

    tune(request, outdir, arguments.resume, arguments.share_cpu)


def _request(arguments: argparse.Namespace) -> TuningRequest:
    from model_profiling.analysis.tuning.record import TuningAsked
    from model_profiling.export.recipes import DEFAULT, find_grouped
    from model_profiling.export.rewrites import find_rewrites
    from model_profiling.models.registry import find
    from model_profiling.scripts.tuning.request import TuningRequest

    if arguments.model is None and arguments.model_file is None:
        raise UserError(
            "no model is named",
            "on the command line",
            "use --model NAME (see export_model.py --list) or --model-file FILE.py",
        )
    recipe = find_grouped(arguments.dtype or DEFAULT, arguments.group_size)
    rewrites = find_rewrites(arguments.rewrites, "--rewrites")
    if not rewrites:
        raise UserError("there is nothing to try", "in --rewrites", "name rewrites, or leave it out for all")
    if arguments.pairs < MIN_PAIRS_FOR_VERDICT:
        raise UserError(
            f"{arguments.pairs} pairs give no verdict", "in --pairs", f"give {MIN_PAIRS_FOR_VERDICT} or more"
        )
    if not 1 <= arguments.threads <= _MOST_THREADS:
        raise UserError(f"{arguments.threads} is no number of threads", "in --threads", "give 1 or more")
    for path, flag in ((arguments.model_file, "--model-file"), (arguments.weights, "--weights")):
        if path is not None and not path.exists():
            raise UserError(f"{path} does not exist", f"in {flag}", "correct the path")
    if arguments.model_file is None:
        find(arguments.model)  # a typing mistake should not wait for torch to be imported
    return TuningRequest(
        arguments.model,
        arguments.model_file,
        arguments.weights,
        arguments.method,
        recipe.name,
        recipe.group_size,
        arguments.threads,
        TuningAsked(rewrites, arguments.pairs, arguments.budget * _MINUTE_S, arguments.aa),
        shlex.join(sys.argv),
    )


if __name__ == "__main__":
    run_command(main)
