# SPDX-License-Identifier: Apache-2.0
"""float32 throughout: the model as it was trained."""

from model_profiling.export.recipe import Limit, Recipe

# Only the order of summation changes; kit models stay below 3e-6. The limit leaves depth for larger models and
# still fails for what goes wrong in practice: a dropped bias, a wrong axis, a zeroed or saturated output.
RECIPE = Recipe(name="fp32", rank=10, limit=Limit(max_rel_error=1e-3, min_cosine=0.9999))
