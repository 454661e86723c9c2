#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Check a configuration, of a run or a sweep, before anything runs: keys, models, runners, devices, output folder."""

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
from model_profiling.findings import conclude


def build_parser() -> CommandParser:
    """Return the command's parser."""
    parser = CommandParser(prog="validate_pipeline.py", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, metavar="JSON", help="the configuration to check")
    return parser


def main() -> None:
    args = build_parser().parse_args()
    from model_profiling.fleet.checks import check_sweep
    from model_profiling.fleet.config import is_sweep
    from model_profiling.pipeline.config_checks import check_config
    from model_profiling.pipeline.devices.local import LocalDevice

    findings = check_sweep(args.config) if is_sweep(args.config) else check_config(args.config, LocalDevice())
    conclude(findings, str(args.config))


if __name__ == "__main__":
    run_command(main)
