# SPDX-License-Identifier: Apache-2.0
"""MobileNetV3-Small, written in plain PyTorch: a real mobile network without torchvision."""

from model_profiling.models.registry import register

register("mobilenet_v3_small", f"{__name__}.model:MobileNetV3Small")
