# SPDX-License-Identifier: Apache-2.0
"""float16 throughout: half the memory, 11 bits of mantissa."""

from model_profiling.export.recipe import Limit, Recipe

# 11 bits of mantissa, rounded in every layer; kit models stay below 5e-3.
RECIPE = Recipe(
    name="fp16",
    rank=20,
    limit=Limit(max_rel_error=5e-2, min_cosine=0.999),
    floating="float16",
    out_of_range="some value is beyond float16's range (65504), or a divisor below 6e-8 became 0: scale it inside "
    "the model, or export in fp32",
)
