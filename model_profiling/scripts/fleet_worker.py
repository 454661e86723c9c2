#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# /// script
# requires-python = ">=3.10"
# dependencies = [
#   "sme-executorch-profiling[export,fleet] @ git+https://github.com/ArmDeveloperEcosystem/sme-executorch-profiling",
# ]
# ///
"""Offer this host and the phones attached to it to sweeps that other hosts start.

One process for the host's CPU and exports, one for each phone; phones join and leave as they are plugged in and out.
Also makes a fleet's certificates, and starts its scheduler.
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
from model_profiling.scripts.fleet_flags import add_certificates, fleet_of

_DEVICES = ("local", "adb", "all")


def build_parser() -> CommandParser:
    """Return the command's parser."""
    parser = CommandParser(prog="fleet_worker.py", description=__doc__.splitlines()[0])
    doing = parser.add_mutually_exclusive_group(required=True)
    doing.add_argument("--scheduler", metavar="HOST:PORT", help="offer this host's devices to the scheduler there")
    doing.add_argument("--start-scheduler", metavar="HOST:PORT", help="be the fleet's scheduler, at this address")
    doing.add_argument("--make-certificates", type=Path, metavar="DIR", help="make the certificates of a new fleet")
    parser.add_argument(
        "--devices",
        choices=_DEVICES,
        default="all",
        help="what to offer: this host's CPU, the phones attached to it, or all (default)",
    )
    add_certificates(parser)
    parser.add_argument("--name", help="what the host is called (default: its own name)")
    parser.add_argument("--folder", type=Path, metavar="DIR", help="where it keeps what it measures (default: a cache)")
    return parser


def main() -> int:
    args = build_parser().parse_args()
    from model_profiling.scripts import fleet_workflow

    if args.make_certificates:
        fleet_workflow.make_certificates(args.make_certificates)
    elif args.start_scheduler:
        fleet_workflow.start_scheduler(fleet_of(args.start_scheduler, args.certificates, "--start-scheduler"))
    else:
        fleet = fleet_of(args.scheduler, args.certificates)
        fleet_workflow.serve(fleet, args.devices, args.name, args.folder)
    return 0


if __name__ == "__main__":
    run_command(main)
