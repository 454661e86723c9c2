#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measure what each change to EdgeTAM's image encoder gains, and write the example's tables again.

Exports the encoder as the original has it, step by step to the export-friendly one, and with each
form of enlarging and of GELU that was tried; launches them against each other in randomized blocks
on this machine; and writes MEASURED.md and measured.json, with where the numbers come from. At full
size it takes about an hour on two cores: exports stay in --work and are made again only where the
example's sources are newer.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tools.own_python import require_packages

require_packages("measures the encoder")

from model_profiling.command import CommandParser, run_command
from model_profiling.errors import UserError
from tools import REPOSITORY

if TYPE_CHECKING:
    from tools.edgetam_measurement.launches import MeasurementSettings

EXAMPLE = REPOSITORY / "model_profiling" / "models" / "edgetam_image_encoder"
DTYPES = ("fp32", "fp16", "int8")


def build_parser() -> CommandParser:
    """Return the command's parser."""
    parser = CommandParser(prog="measure_edgetam_encoder.py", description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=1024, help="height and width of the image (default 1024)")
    parser.add_argument(
        "--dtypes",
        nargs="+",
        choices=DTYPES,
        default=list(DTYPES),
        metavar="DTYPE",
        help="which to measure; what measured.json has of the others stays (default: all)",
    )
    parser.add_argument(
        "--forms",
        nargs="*",
        choices=DTYPES,
        default=list(DTYPES),
        metavar="DTYPE",
        help="in which of them to measure forms of enlarging too (default: all)",
    )
    parser.add_argument("--blocks", type=int, default=10, help="launches of each program (default 10)")
    parser.add_argument("--runs", type=int, default=3, help="untraced executions a launch (default 3)")
    parser.add_argument("--threads", type=int, default=1, help="threads of each launch (default 1)")
    parser.add_argument("--seed", type=int, default=1, help="of the order of launches (default 1)")
    parser.add_argument(
        "--work",
        type=Path,
        default=Path("out_edgetam_measurement"),
        metavar="DIR",
        help="programs and traces (default out_edgetam_measurement)",
    )
    parser.add_argument(
        "--dest",
        type=Path,
        default=EXAMPLE,
        metavar="DIR",
        help="where MEASURED.md and measured.json go (default: the example's folder)",
    )
    parser.add_argument(
        "--tables-only",
        action="store_true",
        help="measure nothing: write MEASURED.md from the measured.json that is there",
    )
    return parser


def main() -> None:
    arguments = build_parser().parse_args()
    from model_profiling.console import say
    from model_profiling.files import read_json, write_text
    from tools.edgetam_measurement import tables

    if arguments.tables_only:
        results: Any = read_json(arguments.dest / "measured.json", "the measured results")
        say(str(write_text(arguments.dest / "MEASURED.md", tables.markdown(results))))
    else:
        _measure(arguments)


def _measure(arguments: argparse.Namespace) -> None:
    """Export, launch and write the results of one dtype after the other, so that none is lost to a later failure."""
    from model_profiling.console import say
    from model_profiling.files import write_json, write_text
    from model_profiling.models.edgetam_image_encoder.variants import SIZES
    from tools.edgetam_measurement import launches, programs, tables

    if arguments.size not in SIZES:
        raise UserError(
            f"there are no variants for {arguments.size}", "in --size", f"use one of {', '.join(map(str, SIZES))}"
        )
    if min(arguments.blocks, arguments.runs, arguments.threads) < 1:
        raise UserError("--blocks, --runs and --threads count things", "on the command line", "give 1 or more")
    settings = launches.MeasurementSettings(
        arguments.size, arguments.blocks, arguments.runs, arguments.threads, arguments.seed
    )
    of_dtypes: list[dict[str, Any]] = []
    for dtype in arguments.dtypes:
        made = programs.export_all(EXAMPLE, arguments.work, settings.size, dtype, dtype in arguments.forms)
        samples = launches.measure(made, arguments.work / f"launches_{settings.size}_{dtype}", settings)
        of_dtypes.append(tables.results_of(dtype, made, samples))
        measured = tables.measured(
            settings, [*of_dtypes, *_kept(arguments.dest / "measured.json", settings, arguments.dtypes)]
        )
        write_json(arguments.dest / "measured.json", measured)
        say(str(write_text(arguments.dest / "MEASURED.md", tables.markdown(measured))))


def _kept(path: Path, settings: MeasurementSettings, now: list[str]) -> list[dict[str, Any]]:
    """Return what `path` has of dtypes that are not measured now, where it was measured the same way."""
    from model_profiling.files import read_json
    from tools.edgetam_measurement import tables

    if not path.is_file():
        return []
    before: Any = read_json(path, "the measured results")
    fresh = tables.measured(settings, [])
    same = all(before.get(key) == fresh[key] for key in ("schema_version", "versions", "machine", "settings"))
    return [entry for entry in before["dtypes"] if entry["dtype"] not in now] if same else []


if __name__ == "__main__":
    run_command(main)
