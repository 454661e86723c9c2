# SPDX-License-Identifier: Apache-2.0
"""A small transformer encoder: the GEMM-heavy counterpart of `toy_cnn`."""

from model_profiling.models.registry import register

register("toy_transformer", f"{__name__}.model:ToyTransformer")
