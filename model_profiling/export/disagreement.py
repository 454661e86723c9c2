# SPDX-License-Identifier: Apache-2.0
"""What is told of a program that does not agree with its eager model: how far, from which layer on, why, what to do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from model_profiling.errors import KitError
from model_profiling.export import first_layer, verification
from model_profiling.export.first_layer import FirstLayer
from model_profiling.export.recipe import Recipe
from model_profiling.models.foreign_code import ForeignCode

if TYPE_CHECKING:
    import torch

    #: A captured graph and its flat inputs.
    Captured = tuple[torch.export.ExportedProgram, list[torch.Tensor]]

_RANGES = (
    "the layer's values do not fit 256 steps: calibrate on more inputs (get_calibration_inputs()), or export in fp16"
)
_KERNEL = (
    "PyTorch computes the same graph within the limit, so the lowered program is at fault there: write that layer "
    "otherwise"
)


def worst_sample(
    reference: Sequence[Sequence[torch.Tensor]], produced: Sequence[Sequence[torch.Tensor]], recipe: Recipe
) -> int:
    """Return the first sample by which the program is beyond the recipe's limit, 0 where only all together are."""
    apart = (
        number
        for number, (expected, got) in enumerate(zip(reference, produced, strict=True))
        if not verification.within(verification.compare([expected], [got]), recipe.limit)
    )
    return next(apart, 0)


def search(in_float32: Callable[[], Captured], captured: Captured, recipe: Recipe, backend: str) -> FirstLayer | None:
    """Return the first layer that is off; None where none is found, or the model makes the search fail."""
    try:
        with ForeignCode("looking for the first layer that is off", ""):
            reference, inputs = in_float32()
            return first_layer.find(reference, captured[0], (inputs, captured[1]), recipe, backend)
    except KitError:
        return None


def explain(found: FirstLayer | None, suspicion: str, recipe: Recipe, finite: bool) -> str:
    """Return the layer and the likely cause as the end of a sentence, "" where nothing is known.

    Parameters
    ----------
    suspicion : what is known to go wrong with such a program.
    finite : whether the program's outputs were.
    """
    parts = [f"the first layer beyond it is {found}"] if found else []
    return "; ".join(parts + list(filter(None, [suspicion or _cause(found, recipe, finite)])))


def _cause(found: FirstLayer | None, recipe: Recipe, finite: bool) -> str:
    if found is not None and found.lowered:
        return _KERNEL
    if not finite:
        return recipe.out_of_range
    return _RANGES if found is not None and recipe.quantizer is not None else ""
