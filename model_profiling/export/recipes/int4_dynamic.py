# SPDX-License-Identifier: Apache-2.0
"""8da4w: 4-bit weights of linear layers, 8-bit activations whose scales are found while the model runs.

One scale a row (the default) is what reaches SME2. In ExecuTorch 1.5.1 only PT2E's quantizer gives it:
`dequantize_per_channel` with a range of -8 to 7 becomes XNNPACK's `qcint4`, whose matrix products XNNPACK
promotes to `qp8_f32_qc4w`, and those have SME2 kernels. ExecuTorch's own recipe with that name,
TORCHAO_INT8_DYNAMIC_ACT_INT4_WEIGHT_PER_CHANNEL, does not get there: torchao writes one group as long as the row,
and `QuantParams` (executorch/backends/xnnpack/operators/quant_params.py) makes `qbint4` of every 4-bit group.
Those run as `qp8_f32_qb4w`, which has no SME2 kernel. Groups are by ExecuTorch's recipe
TORCHAO_INT8_DYNAMIC_ACT_INT4_WEIGHT_PER_TENSOR, whose name says tensor and which means groups.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

from model_profiling.export.recipe import Limit, Recipe

if TYPE_CHECKING:
    import torch
    from torchao.core.config import AOBaseConfig
    from torchao.quantization.pt2e.quantizer import Quantizer

_LOWEST, _HIGHEST = -8, 7  # what 4 bits hold; `QuantParams` knows 4-bit weights by exactly this range


def _quantizer() -> Quantizer:
    import torch
    from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (
        XNNPACKQuantizer,
        get_symmetric_quantization_config,
    )

    config = get_symmetric_quantization_config(
        is_per_channel=True, is_dynamic=True, weight_qmin=_LOWEST, weight_qmax=_HIGHEST
    )
    quantizer: Quantizer = XNNPACKQuantizer()
    # Linear layers alone: XNNPACK has no convolution with 4-bit weights, and fails on one while loading.
    quantizer.set_operator_type(torch.ops.aten.linear.default, config)
    quantizer.set_filter_function(_has_even_rows)
    return quantizer


def _has_even_rows(linear: torch.fx.Node) -> bool:
    """Tell whether two weights share each byte of a row.

    A row of odd length is stored with half a byte of padding, which ExecuTorch 1.5.1 writes and XNNPACK does not
    expect: a layer of 33 weights a row gives a cosine of 0.06. Such layers stay in float32.
    """
    length: int = cast("torch.fx.Node", linear.args[0]).meta["val"].shape[-1]
    return length % 2 == 0


def _grouped(group_size: int) -> Recipe:
    def weights() -> AOBaseConfig:
        from executorch.backends.xnnpack.recipes.xnnpack_recipe_provider import XNNPACKRecipeProvider
        from executorch.backends.xnnpack.recipes.xnnpack_recipe_types import XNNPackRecipeType

        recipe = XNNPACKRecipeProvider().create_recipe(
            XNNPackRecipeType.TORCHAO_INT8_DYNAMIC_ACT_INT4_WEIGHT_PER_TENSOR, group_size=group_size
        )
        config: AOBaseConfig = recipe.quantization_recipe.ao_quantization_configs[0].ao_base_config
        return config

    return replace(RECIPE, quantizer=None, weights=weights, group_size=group_size, grouped=None)


# A weight of uniform random values keeps a ratio of error to signal of 0.067 in 15 steps, a cosine of 0.998 for each
# layer: two of them reach 0.10 and 0.996. The limit leaves depth for about 40 layers of errors that add up as random
# ones do; what goes wrong in practice (a nibble in another place, a scale of another row) gives a cosine near 0.
RECIPE = Recipe(
    name="8da4w",
    rank=50,
    limit=Limit(max_rel_error=7.5e-1, min_cosine=0.9),
    quantizer=_quantizer,
    calibrates=False,
    grouped=_grouped,
    advice="try --dtype 8da8w, or change the operator there",
)
