# SPDX-License-Identifier: Apache-2.0
"""Sine position encodings: what the original returns with each map, computed outside the program.

They depend on a map's size alone. Inside an exported graph they become constants: at
1x3x1024x1024 the three of them take 88 MB in a program whose weights take 20 MB.
"""

from __future__ import annotations

import math

import torch

TEMPERATURE = 10000
#: Keeps the division by the last position finite; part of the definition, as trained.
EPSILON = 1e-6


def sine_position_encoding(height: int, width: int, channels: int) -> torch.Tensor:
    """Return the (channels, height, width) encoding of a map, in float32.

    Sine and cosine of each position at geometrically spaced wavelengths (Vaswani et al., 2017,
    section 3.5), of rows in the first half of the channels and of columns in the second, with
    positions scaled to (0, 2 pi] as in DETR (Carion et al., 2020).

    Parameters
    ----------
    channels : a multiple of 4: each axis has pairs of a sine and a cosine.
    """
    each = channels // 2
    wavelengths = TEMPERATURE ** (2 * (torch.arange(each, dtype=torch.float32) // 2) / each)
    rows, columns = (_encode_axis(length, wavelengths) for length in (height, width))
    return torch.cat([rows[:, :, None].expand(-1, -1, width), columns[:, None, :].expand(-1, height, -1)])


def position_encodings(maps: list[torch.Tensor] | tuple[torch.Tensor, ...]) -> list[torch.Tensor]:
    """Return the encoding of each of the encoder's (batch, channels, height, width) maps, as the original does."""
    return [
        sine_position_encoding(level.shape[-2], level.shape[-1], level.shape[1])[None]
        .repeat(level.shape[0], 1, 1, 1)
        .to(level)
        for level in maps
    ]


def _encode_axis(length: int, wavelengths: torch.Tensor) -> torch.Tensor:
    """Return (channels / 2, length): sines in even rows, cosines in odd ones."""
    positions = torch.arange(1, length + 1, dtype=torch.float32)
    scaled = positions / (positions[-1] + EPSILON) * (2 * math.pi)
    angles = scaled[:, None] / wavelengths
    return torch.stack((angles[:, 0::2].sin(), angles[:, 1::2].cos()), dim=2).flatten(1).T
