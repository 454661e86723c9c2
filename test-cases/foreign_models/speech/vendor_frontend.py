# SPDX-License-Identifier: Apache-2.0
"""Mel features from a waveform without an FFT operator: two 1-d convolutions with the Fourier basis."""

import math

import torch
from torch import nn


class MelFrontEnd(nn.Module):
    """Log-mel energies (n, bands, frames) of a waveform (n, 1, samples), each band normalized over time."""

    def __init__(self, window: int = 256, hop: int = 128, bands: int = 32, rate: int = 16000) -> None:
        super().__init__()
        angle = 2 * math.pi / window * torch.outer(torch.arange(window // 2 + 1), torch.arange(window)).float()
        shape = torch.hann_window(window)
        self.real = nn.Conv1d(1, window // 2 + 1, window, hop, bias=False)
        self.imaginary = nn.Conv1d(1, window // 2 + 1, window, hop, bias=False)
        self.real.weight.data, self.imaginary.weight.data = (
            (f(angle) * shape).unsqueeze(1) for f in (torch.cos, torch.sin)
        )
        self.mel = nn.Conv1d(window // 2 + 1, bands, 1, bias=False)
        self.mel.weight.data = mel_filters(window // 2 + 1, bands, rate).unsqueeze(-1)

    def forward(self, wave: torch.Tensor) -> torch.Tensor:
        energy = self.real(wave) ** 2 + self.imaginary(wave) ** 2
        log = torch.log1p(self.mel(energy) * 100)
        return (log - log.mean(-1, keepdim=True)) / (log.std(-1, keepdim=True) + 1e-5)


def mel_filters(bins: int, bands: int, rate: int) -> torch.Tensor:
    """Return triangular filters (bands, bins), equally spaced in mel (O'Shaughnessy 1987)."""
    top = 2595 * math.log10(1 + rate / 2 / 700)
    edges = 700 * (10 ** (torch.linspace(0, top, bands + 2) / 2595) - 1)
    frequency = torch.linspace(0, rate / 2, bins)
    rising = (frequency - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - frequency) / (edges[2:] - edges[1:-1])[:, None]
    return torch.minimum(rising, falling).clamp(min=0)
