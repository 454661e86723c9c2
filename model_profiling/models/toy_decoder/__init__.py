# SPDX-License-Identifier: Apache-2.0
"""A small language model's decoder with a cache: two methods, one for a prompt and one for a token."""

from model_profiling.models.registry import register

register("toy_decoder", f"{__name__}.model:ToyDecoder")
