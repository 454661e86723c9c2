# SPDX-License-Identifier: Apache-2.0
"""Modules lowered as a recipe says, without the checks of an export."""

from __future__ import annotations

import torch
from torch import nn

from model_profiling.export import lowering, quantization
from model_profiling.export.matrix_layers import ExportedLayer, read_matrix_layers
from model_profiling.export.recipe import Recipe
from model_profiling.export.recipes import find_recipe


def lowered(module: nn.Module, inputs: tuple[torch.Tensor, ...], recipe: Recipe) -> lowering.EdgeProgramManager:
    """Return `module` quantized and lowered as a recipe says."""
    program = lowering.capture(module, inputs, {}, None)
    if recipe.weights is not None:
        quantized = quantization.quantize_weights(module, recipe.weights(), recipe.group_size or 1)
        program = lowering.capture(quantized, inputs, {}, None)
    elif recipe.quantizer is not None:
        quantized = quantization.quantize(program, [inputs], {}, recipe.quantizer(), dynamic=not recipe.calibrates)
        program = lowering.capture(quantized, inputs, {}, None)
    return lowering.lower({"forward": program}, "xnnpack", recipe)


def layers_of(module: nn.Module, inputs: tuple[torch.Tensor, ...], dtype: str) -> tuple[ExportedLayer, ...]:
    """Return the matrix layers of `module`, lowered in a recipe."""
    return read_matrix_layers(lowered(module, inputs, find_recipe(dtype)).exported_program())
