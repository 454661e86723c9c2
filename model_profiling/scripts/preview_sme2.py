#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# /// script
# requires-python = ">=3.10"
# dependencies = [
#   "sme-executorch-profiling[export] @ git+https://github.com/ArmDeveloperEcosystem/sme-executorch-profiling",
# ]
# ///
"""Preview which layers of a model reach SME2 kernels, on an emulated CPU: no SME2 hardware is needed.

Runs the model once each with SME2, with SME only and with neither, and says which KleidiAI
kernels every layer called and whether the outputs agree. Works on x86-64 and Arm Linux. It
tells nothing about speed.
"""

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

from pathlib import Path

from model_profiling.command import CommandParser, run_command

_DEFAULT_CPU = "max"


def build_parser() -> CommandParser:
    """Return the command's parser."""
    parser = CommandParser(prog="preview_sme2.py", description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True, metavar="PTE", help="the exported model")
    parser.add_argument(
        "--output-dir",
        type=Path,
        metavar="DIR",
        help="where the kernel views go (default: <model>_sme2_preview beside the model)",
    )
    parser.add_argument(
        "--cpu",
        default=_DEFAULT_CPU,
        metavar="NAME",
        help="the CPU to emulate, as in `qemu-aarch64 -cpu help` (default: max, which has SME2)",
    )
    parser.add_argument("--method", metavar="NAME", help="the method to run, of a program that has several")
    parser.add_argument(
        "--input-shapes",
        metavar="SHAPES",
        help="the shapes of all inputs, such as 1x16,16, of a program whose shapes vary (default: the example's)",
    )
    return parser


def main() -> None:
    args = build_parser().parse_args()
    from model_profiling.pipeline.program.workload import Workload, parse_shapes
    from model_profiling.scripts.preview_workflow import preview

    workload = Workload(args.model, args.method, parse_shapes(args.input_shapes))
    previewed = preview(workload, args.output_dir, args.cpu)
    for path in previewed.files:
        print(path)
    for line in (*previewed.disagreements, previewed.sentence):
        print(f"{line}.")


if __name__ == "__main__":
    run_command(main)
