# SPDX-License-Identifier: Apache-2.0
"""What a program is called by model and recipe: as its export recorded it, else as its file's name has it."""

from __future__ import annotations

from model_profiling.export.recipe import label_of
from model_profiling.export.recipes import label_in
from model_profiling.pipeline.measured_programs import MeasuredProgram
from model_profiling.pipeline.program_records import KeptProgram

UNKNOWN_RECIPE = "unknown"


def model_and_recipe(program: MeasuredProgram, record: KeptProgram) -> tuple[str, str]:
    """Return the names of a program's model and recipe."""
    stem, made = program.model.id, record.made
    named = label_in(stem)
    model = record.model or stem.removesuffix(f"_{named}").removesuffix("_xnnpack")
    return model, label_of(made.dtype, made.group_size) if made and made.dtype else named or UNKNOWN_RECIPE
