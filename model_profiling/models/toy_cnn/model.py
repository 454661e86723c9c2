# SPDX-License-Identifier: Apache-2.0
"""`toy_cnn`: seconds to export, milliseconds to run, and every operator category in one model.

About nine tenths of its multiply-adds are convolutions, so a change of the CPU's
matrix or vector unit shows at once; the concatenation and the transposition put Data
Movement in the trace, the two linear layers GEMM.
"""

from __future__ import annotations

import torch
from torch import nn

from model_profiling.models.contract import EagerModel, seeded, uniform_images

SEED = 20240501
INPUT_SHAPE = (1, 3, 96, 96)
CLASSES = 10
CALIBRATION_SAMPLES = 8


class ToyCnnModule(nn.Module):
    """Stem, depthwise-separable block, two concatenated branches, pooling, token-wise linear head."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 32, 3, stride=2, padding=1)
        self.depthwise = nn.Conv2d(32, 32, 3, padding=1, groups=32)
        self.pointwise = nn.Conv2d(32, 64, 1)
        self.wide = nn.Conv2d(64, 64, 3, padding=1)
        self.narrow = nn.Conv2d(64, 64, 1)
        self.pool = nn.MaxPool2d(kernel_size=2, stride=2)
        self.mix = nn.Conv2d(128, 128, 3, padding=1)
        self.token = nn.Linear(128, 64)
        self.classifier = nn.Linear(64, CLASSES)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.stem(image))
        x = torch.relu(self.depthwise(x))
        x = torch.relu(self.pointwise(x))
        x = torch.cat([torch.relu(self.wide(x)), torch.relu(self.narrow(x))], dim=1)
        x = torch.relu(self.mix(self.pool(x)))
        tokens = x.flatten(2).transpose(1, 2)  # (batch, positions, channels)
        tokens = torch.relu(self.token(tokens))
        return self.classifier(tokens.transpose(1, 2).contiguous().mean(dim=-1))


class ToyCnn(EagerModel):
    """`toy_cnn` as the registry sees it."""

    def get_eager_model(self) -> nn.Module:
        with seeded(SEED):
            return ToyCnnModule().eval()

    def get_example_inputs(self) -> tuple[torch.Tensor, ...]:
        return self.get_calibration_inputs()[0]

    def get_calibration_inputs(self) -> list[tuple[torch.Tensor, ...]]:
        return uniform_images(INPUT_SHAPE, CALIBRATION_SAMPLES, SEED)
