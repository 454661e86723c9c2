# SPDX-License-Identifier: Apache-2.0
"""The first step of an export: a model as its author wrote it becomes one of tensors in float32."""

from __future__ import annotations

from dataclasses import replace

from model_profiling.export import adapting, casting, notes
from model_profiling.models.loading import LoadedModel


def in_float32(model: LoadedModel) -> tuple[LoadedModel, list[str]]:
    """Return the model with tensors as its inputs and float32 as its type, and notes of what that changed."""
    model, fixed = adapting.adapted(model)
    given = [model.example_inputs, *model.calibration_inputs], model.example_kwargs
    told = [
        *notes.of_mode(model.training_layers),
        *notes.of_types(model.module, given, casting.float_type("fp32")),
        *notes.of_fixed(fixed),
    ]
    casting.cast_module(model.module, "fp32")
    (example, *calibration), kwargs = casting.cast_inputs(given, "fp32")
    return replace(model, example_inputs=example, calibration_inputs=tuple(calibration), example_kwargs=kwargs), told
