# SPDX-License-Identifier: Apache-2.0
"""Keyword spotting on the raw waveform: mel front-end, depthwise-separable 1-d convolutions, attention pooling."""

import torch
from torch import nn

from .vendor_frontend import MelFrontEnd

WORDS, SAMPLES, BANDS, WIDTH = 12, 8000, 32, 48


class Separable(nn.Module):
    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv1d(width, width, 5, padding=2 * dilation, dilation=dilation, groups=width)
        self.norm = nn.GroupNorm(4, width)
        self.pointwise = nn.Conv1d(width, width, 1)
        self.activation = nn.GELU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.activation(self.pointwise(self.norm(self.depthwise(x))))


class KeywordSpotter(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.front_end = MelFrontEnd(bands=BANDS)
        self.widen = nn.Conv1d(BANDS, WIDTH, 3, padding=1)
        self.blocks = nn.Sequential(*(Separable(WIDTH, 2**index) for index in range(3)))
        self.pool = nn.MaxPool1d(2)
        self.attend = nn.Conv1d(WIDTH, 1, 1)
        self.words = nn.Linear(WIDTH, WORDS)

    def forward(self, wave: torch.Tensor) -> torch.Tensor:
        x = self.pool(self.blocks(self.widen(self.front_end(wave.unsqueeze(1)))))
        weights = self.attend(x).softmax(-1)
        return self.words((x * weights).sum(-1)).log_softmax(-1)


class Speech:
    def get_eager_model(self) -> nn.Module:
        torch.manual_seed(5)
        return KeywordSpotter().eval()

    def get_example_inputs(self) -> tuple[torch.Tensor, ...]:
        return self.get_calibration_inputs()[0]

    def get_calibration_inputs(self) -> list[tuple[torch.Tensor, ...]]:
        time = torch.arange(SAMPLES) / 16000
        return [
            ((torch.sin(2 * torch.pi * pitch * time) + 0.1 * torch.sin(9000 * time * time)).reshape(1, SAMPLES),)
            for pitch in (220.0, 440.0, 880.0, 1760.0)
        ]
