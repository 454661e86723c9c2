#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# /// script
# requires-python = ">=3.10"
# dependencies = [
#   "sme-executorch-profiling[export] @ git+https://github.com/ArmDeveloperEcosystem/sme-executorch-profiling",
# ]
# ///
"""Analyze a run directory: tables of every event and operator, statistics, comparisons, summaries.

Reads manifest.json, launches.jsonl and the recorded traces; launches nothing. Running it again
writes the same files anew.
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


def build_parser() -> CommandParser:
    """Return the command's parser."""
    parser = CommandParser(prog="analyze_results.py", description=__doc__.splitlines()[0])
    parser.add_argument("--run-dir", type=Path, required=True, metavar="DIR", help="the run's output_root")
    parser.add_argument("--quiet", action="store_true", help="print nothing but errors")
    return parser


def main() -> None:
    args = build_parser().parse_args()
    from model_profiling.pipeline.run_directory import RunDirectory
    from model_profiling.report.run_files import analyze_anew, write

    analysis = analyze_anew(RunDirectory(args.run_dir))
    files = write(analysis)
    if not args.quiet:
        from model_profiling.report.words.summary import show_analysis

        show_analysis(analysis)
        for path in files:
            print(path)


if __name__ == "__main__":
    run_command(main)
