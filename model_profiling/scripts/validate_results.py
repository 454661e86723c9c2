#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Check a run's results: complete, plausible, adding up, and following from the recorded traces."""

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
from model_profiling.files import write_json
from model_profiling.findings import conclude


def build_parser() -> CommandParser:
    """Return the command's parser."""
    parser = CommandParser(
        prog="validate_results.py", description=__doc__, epilog="Writes validation_report.json into the run directory."
    )
    parser.add_argument("--results", type=Path, required=True, metavar="DIR", help="the run directory")
    return parser


def main() -> None:
    args = build_parser().parse_args()
    from model_profiling.analysis.checks.results import check_results, has_errors
    from model_profiling.pipeline.run_directory import RunDirectory, utc_now
    from model_profiling.report.run_files import derive

    directory = RunDirectory(args.results)
    findings = check_results(directory, derive)
    if directory.exists():  # never write into a folder that is not a run
        write_json(
            directory.validation_report,
            {
                "schema_version": 1,
                "checked": utc_now(),
                "valid": not has_errors(findings),
                "findings": [finding.to_json() for finding in findings],
            },
        )
    conclude(findings, str(args.results))


if __name__ == "__main__":
    run_command(main)
