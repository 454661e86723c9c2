#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# /// script
# requires-python = ">=3.10"
# dependencies = [
#   "sme-executorch-profiling[export] @ git+https://github.com/ArmDeveloperEcosystem/sme-executorch-profiling",
# ]
# ///
"""Profile many models in many recipes, thread counts and devices, and put all results on one page.

Exports each model once for each recipe, measures one cell at a time as mac_pipeline.py, android_pipeline.py and
preview_sme2.py do, and writes sweep.html, sweep_summary.json and sweep.csv.
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
from model_profiling.scripts.fleet_flags import LOCAL_SCHEDULER, add_certificates, fleet_of
from model_profiling.scripts.pipeline_workflow import add_wait


def build_parser() -> CommandParser:
    """Return the command's parser."""
    parser = CommandParser(prog="sweep.py", description=__doc__.splitlines()[0])
    parser.add_argument("--config", type=Path, required=True, metavar="JSON", help="the sweep's configuration")
    parser.add_argument("--dry-run", action="store_true", help="print what would be done and how long it takes")
    parser.add_argument("--resume", action="store_true", help="go on with a sweep, and try again what failed")
    parser.add_argument("--only", nargs="+", metavar="CELL", help="measure these cells alone; --dry-run lists them")
    parser.add_argument(
        "--quick", action="store_true", help="4 pairs in each cell: shows that everything works, gives no verdict"
    )
    add_wait(parser, 600.0)
    parser.add_argument(
        "--scheduler",
        default=LOCAL_SCHEDULER,
        metavar="HOST:PORT",
        help="measure over the hosts of the fleet with its scheduler there (default: local, this machine alone)",
    )
    add_certificates(parser)
    parser.add_argument(
        "--share-cpu", action="store_true", help="measure although another run measures on this machine"
    )
    return parser


def main() -> int:
    args = build_parser().parse_args()
    from model_profiling.fleet.performing import PerformingOptions
    from model_profiling.scripts.sweep_workflow import show_plan, sweep

    options = PerformingOptions(args.quick, args.wait, args.share_cpu)
    if args.dry_run:
        show_plan(args.config, options, args.only)
    else:
        sweep(args.config, options, args.only, args.resume, fleet_of(args.scheduler, args.certificates))
    return 0


if __name__ == "__main__":
    run_command(main)
