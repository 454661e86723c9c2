# SPDX-License-Identifier: Apache-2.0
"""8da8w: 8-bit weights with a scale a row, 8-bit activations whose scales are found while the model runs.

ExecuTorch's own recipe PT2E_INT8_DYNAMIC_PER_CHANNEL. It quantizes linear layers and, of the convolutions,
the 2-D ones without an activation after them; all else stays in float32.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from model_profiling.export.recipe import Limit, Recipe

if TYPE_CHECKING:
    from torchao.quantization.pt2e.quantizer import Quantizer


def _quantizer() -> Quantizer:
    from executorch.backends.xnnpack.recipes.xnnpack_recipe_provider import XNNPACKRecipeProvider
    from executorch.backends.xnnpack.recipes.xnnpack_recipe_types import XNNPackRecipeType

    recipe = XNNPACKRecipeProvider().create_recipe(XNNPackRecipeType.PT2E_INT8_DYNAMIC_PER_CHANNEL)
    quantizer: Quantizer = recipe.quantization_recipe.quantizers[0]
    return quantizer


# No range is guessed, so it is closer than int8: two linear layers of random weights reach 0.014 and a cosine of
# 0.99996. The limit leaves depth: a hundred such layers, their errors adding up as random ones do, stay above 0.99.
RECIPE = Recipe(
    name="8da8w",
    rank=40,
    limit=Limit(max_rel_error=2e-1, min_cosine=0.99),
    quantizer=_quantizer,
    calibrates=False,
    advice="try --dtype fp32, or change the operator there",
)
