#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# /// script
# requires-python = ">=3.10"
# dependencies = [
#   "sme-executorch-profiling[export] @ git+https://github.com/ArmDeveloperEcosystem/sme-executorch-profiling",
# ]
# ///
"""Export a PyTorch model to an ExecuTorch program (.pte), run it, and compare it with the eager model.

Writes <model>_<backend>_<dtype>.pte with an .etrecord and a .json beside it. Models come from
the kit, from ExecuTorch's examples, from --model-file, or from the folders in SME2_MODEL_PATH.
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
from pathlib import Path
from typing import TYPE_CHECKING

from model_profiling.command import CommandParser, run_command
from model_profiling.errors import UserError
from model_profiling.export.arguments import add_group_size, add_model_file, add_weights

if TYPE_CHECKING:
    from model_profiling.export.request import ExportRequest


def build_parser() -> CommandParser:
    """Return the command's parser."""
    parser = CommandParser(prog="export_model.py", description=__doc__.splitlines()[0])
    _add_what_to_export(parser)
    _add_changes(parser)
    _add_what_to_tell(parser)
    return parser


def _add_what_to_export(parser: CommandParser) -> None:
    parser.add_argument("--model", metavar="NAME", help="a model's name; see --list")
    add_model_file(parser)
    parser.add_argument(
        "--method",
        metavar="NAME",
        nargs="+",
        default=[],
        help="of a model with several methods (get_methods()) only these; default: all, in one .pte",
    )
    parser.add_argument("--dtype", metavar="DTYPE", help=_dtypes())
    add_group_size(parser)
    parser.add_argument("--quantize", action="store_true", help="the same as --dtype int8")
    parser.add_argument("--backend", metavar="BACKEND", default="xnnpack", help="xnnpack (default) or portable")
    parser.add_argument(
        "--outdir", metavar="DIR", type=Path, help="folder for the files (default: out_<model>/artifacts)"
    )
    add_weights(parser)


def _add_changes(parser: CommandParser) -> None:
    parser.add_argument(
        "--rewrite",
        metavar="NAME",
        nargs="+",
        default=["none"],
        help="rewrites that bring operators into XNNPACK: names, all or none (default)",
    )
    parser.add_argument(
        "--keep-float",
        metavar="MODULE",
        nargs="+",
        default=[],
        help="of a dtype that quantizes: modules, or operators of the graph, that stay in floating point",
    )


def _add_what_to_tell(parser: CommandParser) -> None:
    parser.add_argument(
        "--numeric-gap",
        action="store_true",
        help="measure where accuracy is lost: every layer beside the eager model's, and what each costs by itself",
    )
    parser.add_argument("--save-graph", action="store_true", help="also write the graphs, as <stem>.graph.txt")
    parser.add_argument(
        "--explain",
        action="store_true",
        help="say why each operator outside XNNPACK is there, and which layers can reach SME2",
    )
    parser.add_argument(
        "--keep-disagreeing",
        action="store_true",
        help="write a program that does not agree with the eager model too, its record marked, to profile its latency",
    )
    parser.add_argument("--list", action="store_true", help="list the models, their source and what they lack")
    parser.add_argument(
        "--list-rewrites", action="store_true", help="list the rewrites, their types and what they save"
    )
    parser.add_argument("--verbose", action="store_true", help="show the libraries' own messages")


def _dtypes() -> str:
    from model_profiling.export.recipes import DEFAULT, recipes

    *others, last = recipes()
    return f"{', '.join(others)} or {last} (default {DEFAULT})"


def main() -> int:
    arguments = build_parser().parse_args()
    if arguments.list:
        from model_profiling.export.quiet import quiet
        from model_profiling.export.summary import print_models
        from model_profiling.models.registry import entries

        with quiet(arguments.verbose):  # each of them is imported
            print_models(entries())
        return 0
    if arguments.list_rewrites:
        from model_profiling.export.rewrite_list import print_rewrites

        print_rewrites()
        return 0
    from model_profiling.console import progress
    from model_profiling.export import export_job, gap_summary, summary
    from model_profiling.export.quiet import quiet

    request = _request(arguments)
    label = request.model or Path(str(request.model_file)).name  # one of the two is given
    with progress(f"exporting {label}", export_job.steps_of(request)) as step, quiet(arguments.verbose):
        result = export_job.export(request, step)
    summary.print_result(result)
    gap_summary.print_gaps(result.numeric_gaps, result.paths, request.recipe)
    if arguments.explain:
        summary.print_explanations(result)
    summary.print_next(result.paths.pte)
    return 0


def _request(arguments: argparse.Namespace) -> ExportRequest:
    from model_profiling.export.lowering import check_backend
    from model_profiling.export.recipes import DEFAULT, find_grouped
    from model_profiling.export.request import ExportRequest
    from model_profiling.export.rewrites import find_rewrites
    from model_profiling.models.registry import find

    if arguments.model is None and arguments.model_file is None:
        raise UserError(
            "no model is named", "on the command line", "use --model NAME (see --list) or --model-file FILE.py"
        )
    if arguments.quantize and arguments.dtype not in (None, "int8"):
        raise UserError(f"--quantize means int8, but --dtype says {arguments.dtype}", "on the command line", "give one")
    recipe = find_grouped("int8" if arguments.quantize else arguments.dtype or DEFAULT, arguments.group_size)
    backend = check_backend(arguments.backend)
    rewrites = find_rewrites(arguments.rewrite)
    if arguments.model_file is None:
        find(arguments.model)  # a typing mistake should not wait for torch to be imported
    return ExportRequest(
        arguments.model,
        arguments.model_file,
        arguments.weights,
        recipe.name,
        backend,
        arguments.outdir,
        arguments.save_graph,
        recipe.group_size,
        arguments.keep_disagreeing,
        rewrites,
        tuple(arguments.method),
        tuple(arguments.keep_float),
        arguments.numeric_gap,
    )


if __name__ == "__main__":
    run_command(main)
