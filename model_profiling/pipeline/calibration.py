# SPDX-License-Identifier: Apache-2.0
"""A/A calibration: one arm against itself under two names, in a run directory of its own."""

from __future__ import annotations

from dataclasses import replace

from model_profiling.pipeline.config import Config

#: Appended to `output_root`, so that a calibration never displaces a measurement.
SUFFIX = "_aa"


def calibration_config(config: Config) -> Config:
    """Return the configuration that runs the first comparison's candidate against itself.

    The candidate is the arm that verdicts are about; without comparisons the first
    experiment stands in. Nothing but the name differs between the two arms.
    """
    name = config.compare_pairs[0][1] if config.compare_pairs else config.experiments[0].name
    arm = config.experiment(name)
    first, second = f"{name}_a", f"{name}_b"
    return replace(
        config,
        output_root=config.output_root.with_name(config.output_root.name + SUFFIX),
        experiments=(replace(arm, name=first), replace(arm, name=second)),
        compare_pairs=((first, second),),
    )
