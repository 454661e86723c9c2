# SPDX-License-Identifier: Apache-2.0
"""What the pipelines of every platform share: flags, the run, then analysis and report."""

from __future__ import annotations

import argparse
import math
import shlex
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from model_profiling.command import CommandParser
from model_profiling.console import say
from model_profiling.errors import MeasurementError, UserError
from model_profiling.files import read_json
from model_profiling.pipeline.calibration import calibration_config, failed_thread_counts
from model_profiling.pipeline.config import Config, load_config, restrict
from model_profiling.pipeline.devices.kinds import open_device
from model_profiling.pipeline.preparation import RunOptions
from model_profiling.pipeline.programs import changed_programs
from model_profiling.pipeline.run_directory import RunDirectory


def add_arguments(parser: CommandParser) -> None:
    """Add the flags that every pipeline has."""
    parser.add_argument("--config", type=Path, required=True, metavar="JSON", help="the experiment configuration")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="run these experiments alone")
    parser.add_argument("--analysis-only", action="store_true", help="launch nothing: analyze and report what is there")
    parser.add_argument("--resume", action="store_true", help="take up an unfinished run")
    parser.add_argument("--quick", action="store_true", help="4 pairs: shows that everything works, gives no verdict")
    parser.add_argument(
        "--aa", action="store_true", help="run one arm against itself to measure this machine's noise floor"
    )
    parser.add_argument(
        "--precision",
        type=_percent,
        metavar="PERCENT",
        help="add pairs, up to 20, until the interval's half-width is under PERCENT",
    )
    parser.add_argument(
        "--time-budget",
        type=_seconds,
        metavar="SECONDS",
        help="measure for at most this long: fewer rounds, traced executions and pairs where they do not fit",
    )
    add_wait(parser)
    parser.add_argument("--seed", type=_seed, metavar="N", help="seed of order and inputs; drawn when not given")
    parser.add_argument("--verbose", action="store_true", help="also say what each experiment runs with")


def add_wait(parser: CommandParser, default: float = 0.0) -> None:
    """Add the flag that has a measurement wait for another one on the same device."""
    told = f" (default: {default:.0f})" if default else ""
    parser.add_argument(
        "--wait",
        type=_seconds_or_none,
        default=default,
        metavar="SECONDS",
        help=f"where another run measures on the device, wait for it at most this long{told}",
    )


def run_pipeline(args: argparse.Namespace, kind: str, **device_options: object) -> int:
    """Load the configuration, launch, analyze, report; return the exit status.

    A device of the `kind` is opened with these options for runs alone: analysis needs none.
    """
    if args.quick and args.precision is not None:
        raise UserError("--quick and --precision contradict each other", "on the command line", "give one of them")
    config = _effective_config(args)
    if args.analysis_only:
        directory = RunDirectory(config.output_root)
        for model in changed_programs(directory.read_manifest(), config):
            raise UserError(
                f"{directory.root} holds a run of another model than {model}",
                f'in "output_root" of {args.config}',
                "name that model's run, or use analyze_results.py --run-dir",
            )
    else:
        from model_profiling.pipeline import orchestrator
        from model_profiling.scripts.ceilings.measuring import run_ceilings

        options = RunOptions(
            config_path=args.config,
            command_line=shlex.join(sys.argv),
            resume=args.resume,
            quick=args.quick,
            calibration=args.aa,
            precision_percent=args.precision,
            seed=args.seed,
            verbose=args.verbose,
            time_budget_s=args.time_budget,
        )
        # What is to be short takes the ceilings that are known.
        short = args.quick or args.aa or args.time_budget is not None
        try:
            with open_device(kind, config, wait_s=args.wait, **device_options) as device:
                directory = orchestrator.run(config, device, options, partial(run_ceilings, measure=not short))
        except KeyboardInterrupt:
            say(f"what was measured is kept: add --resume to go on with {config.output_root}")
            raise
    analyze_and_report(directory)
    if args.aa:
        require_calibrated(directory)
    return 0


def require_calibrated(directory: RunDirectory) -> None:
    """Raise the `MeasurementError` of a calibration that failed."""
    floor: Any = read_json(directory.noise_floor, "noise floor")  # this run's own, written a moment ago
    failed = failed_thread_counts(floor)
    if failed:
        raise MeasurementError(
            f"calibration failed: an arm differs from itself at {', '.join(failed)} threads, so this machine is too "
            f"noisy for verdicts now; quiet it and run --aa again (see {directory.report_md})"
        )


def analyze_and_report(directory: RunDirectory) -> None:
    """Make the tables, the summary and the report, and say where they are."""
    from model_profiling.report.generate import generate_report
    from model_profiling.report.run_files import analyze_run

    analyze_run(directory)
    outcome = generate_report(directory)
    say()
    for sentence in outcome.sentences:
        say(sentence)
    for path in outcome.files:
        say(f"  {path}")


def _effective_config(args: argparse.Namespace) -> Config:
    config = load_config(args.config)
    if args.only:
        config = restrict(config, args.only)
    if args.seed is not None:
        config = replace(config, seed=args.seed)
    if args.precision is not None and not config.timed:
        raise UserError(
            "--precision needs an experiment that measures time",
            f'in "experiments" of {args.config}',
            'add one with mode "timing", or leave --precision out',
        )
    return calibration_config(config) if args.aa else config


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is no number of seconds above 0")
    return value


def _seconds_or_none(text: str) -> float:
    return 0.0 if text == "0" else _seconds(text)


def _percent(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 100:
        raise argparse.ArgumentTypeError(f"{text} is not a percentage between 0 and 100")
    return value


def _seed(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text} is not a whole number of 0 or more")
    return int(text)
