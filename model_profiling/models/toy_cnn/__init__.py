# SPDX-License-Identifier: Apache-2.0
"""A small convolutional network: the kit's first example and its quick test."""

from model_profiling.models.registry import register

register("toy_cnn", f"{__name__}.model:ToyCnn")
