#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# /// script
# requires-python = ">=3.10"
# dependencies = [
#   "sme-executorch-profiling[export] @ git+https://github.com/ArmDeveloperEcosystem/sme-executorch-profiling",
# ]
# ///
"""Profile a model on this host (macOS or Linux) with a CPU feature on and off, in paired launches.

Reads an experiment configuration, makes the launches in randomized pairs, and ends by itself
with the analysis and the report, all under the configuration's output_root.
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

from model_profiling.command import CommandParser, run_command
from model_profiling.scripts.pipeline_workflow import add_arguments, run_pipeline


def build_parser() -> CommandParser:
    """Return the command's parser."""
    parser = CommandParser(prog="mac_pipeline.py", description=__doc__.splitlines()[0])
    add_arguments(parser)
    parser.add_argument(
        "--share-cpu", action="store_true", help="measure although another run measures on this machine"
    )
    return parser


def main() -> int:
    args = build_parser().parse_args()
    return run_pipeline(args, "local", share_cpu=args.share_cpu)


if __name__ == "__main__":
    run_command(main)
