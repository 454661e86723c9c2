# SPDX-License-Identifier: Apache-2.0
"""MobileNetV3-Small with one step more: what `bench_verdicts.py` has to tell from the model without it."""

from __future__ import annotations

import torch
from torch import nn

from model_profiling.models.mobilenet_v3_small.model import MobileNetV3Small


class LargerMobileNet(MobileNetV3Small):
    """Two 1x1 convolutions more behind the last block: about 5 % of the time (x86-64, 1 thread)."""

    def get_eager_model(self) -> nn.Module:
        model = super().get_eager_model()
        torch.manual_seed(0)
        model.features.add_module("more", nn.Sequential(nn.Conv2d(576, 96, 1), nn.Conv2d(96, 576, 1)))
        return model.eval()
