# SPDX-License-Identifier: Apache-2.0
"""A/A calibration: one arm against itself under two names, in a run directory of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

from model_profiling.errors import UserError
from model_profiling.files import read_json
from model_profiling.pipeline.config import TIMING, Config
from model_profiling.pipeline.run_directory import RunDirectory

#: Appended to `output_root`, so that a calibration never displaces a measurement.
SUFFIX = "_aa"
FLOOR_SCHEMA_VERSION = 1
#: A noise floor is that of a machine on one day: what else it does changes from day to day.
LONGEST_VALIDITY = timedelta(hours=24)


def calibration_config(config: Config) -> Config:
    """Return the configuration that runs the first comparison's candidate against itself.

    The candidate is the arm that verdicts are about; without comparisons the first
    experiment stands in. Nothing but the name differs between the two arms.

    Raises
    ------
    UserError : no experiment is timed.
    """
    if not config.timed:
        raise UserError(
            "no experiment measures time",
            'in "experiments" of the config, for --aa',
            f'add one with mode "{TIMING}", or leave --aa out',
        )
    name = _calibrated_arm(config)
    arm = config.experiment(name)
    first, second = f"{name}_a", f"{name}_b"
    return replace(
        config,
        output_root=config.output_root.with_name(config.output_root.name + SUFFIX),
        experiments=(replace(arm, name=first), replace(arm, name=second)),
        compare_pairs=((first, second),),
    )


def _calibrated_arm(config: Config) -> str:
    return config.compare_pairs[0][1] if config.compare_pairs else config.timed[0].name


def find_noise_floor(config: Config, cpu: str) -> dict[str, Any] | None:
    """Return the noise floor that a calibration of the same model on this CPU found, None without one.

    It must be at most a day old, made with full pairs, and must not have failed. The run keeps it in its manifest, so
    that a later calibration cannot change what an earlier run came to.

    Raises
    ------
    UserError : `noise_floor.json` is there and damaged.
    """
    file = RunDirectory(config.output_root.with_name(config.output_root.name + SUFFIX)).noise_floor
    if not file.is_file():
        return None
    plain: Any = read_json(file, "noise floor")
    model = config.program(_calibrated_arm(config)).stem if config.timed else config.model.stem
    try:
        fits = (plain["schema_version"], plain["model"], plain["cpu"]) == (FLOOR_SCHEMA_VERSION, model, cpu)
        age = datetime.now(timezone.utc) - datetime.fromisoformat(plain["measured"].replace("Z", "+00:00"))
        return (
            dict(plain)
            if fits and age <= LONGEST_VALIDITY and not plain["quick"] and all(plain["calibrated"].values())
            else None
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError("the noise floor cannot be used", f"at {file}", "run --aa again, or remove the file") from error


def failed_thread_counts(floor: Mapping[str, Any]) -> list[str]:
    """Return the thread counts at which a calibration's interval excludes 1."""
    return [threads for threads, good in floor["calibrated"].items() if not good]
