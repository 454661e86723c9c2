# SPDX-License-Identifier: Apache-2.0
"""Nearest 2x enlargement followed by an addition, in several forms that give the same values.

`upsample_nearest2d` is not among the operators that ExecuTorch hands to XNNPACK, so as it stands
it splits the program in two. Each form here trades it for operators that XNNPACK takes, and none
is faster because of that alone: which one stays is measured in the whole model
(`tools/measure_edgetam_encoder.py`).

A form is a module ``(coarse, fine) -> fine + enlarged coarse`` with `coarse` of shape (batch,
channels, height, width) and `fine` of twice the height and width.
"""

from __future__ import annotations

import torch
from torch import nn

FACTOR = 2


class UpsampleNearest(nn.Module):
    """As it is: one portable operator between two delegates."""

    def forward(self, coarse: torch.Tensor, fine: torch.Tensor) -> torch.Tensor:
        return fine + nn.functional.interpolate(coarse, scale_factor=float(FACTOR), mode="nearest")


class ReshapeAndConcatenate(nn.Module):
    """Concatenate columns, then rows, with themselves; every tensor has four dimensions at most.

    XNNPACK could, but ExecuTorch 1.5.1 counts a concatenation's distinct inputs and refuses one of a
    tensor with itself.
    """

    def forward(self, coarse: torch.Tensor, fine: torch.Tensor) -> torch.Tensor:
        batch, channels, height, width = coarse.shape
        points = coarse.reshape(batch * channels * height, width, 1)
        rows = torch.cat([points] * FACTOR, dim=2).reshape(batch * channels, height, FACTOR * width)
        return fine + torch.cat([rows] * FACTOR, dim=2).reshape(fine.shape)


class TransposedConvolution(nn.Module):
    """A transposed convolution of stride 2 with ones, each channel its own group."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.enlarge = nn.ConvTranspose2d(channels, channels, FACTOR, stride=FACTOR, groups=channels, bias=False)
        nn.init.ones_(self.enlarge.weight)

    def forward(self, coarse: torch.Tensor, fine: torch.Tensor) -> torch.Tensor:
        return fine + self.enlarge(coarse)


class ResizeSinglePoints(nn.Module):
    """Bilinear resizing of images one point wide, then one point high: between a point and itself.

    Bilinear weights mix neighbors, so on the map itself it is no nearest enlargement; a row of
    one point has no neighbor to mix in.
    """

    def forward(self, coarse: torch.Tensor, fine: torch.Tensor) -> torch.Tensor:
        batch, channels, height, width = coarse.shape
        points = coarse.reshape(batch, channels, height * width, 1)
        rows = nn.functional.interpolate(points, size=(height * width, FACTOR), mode="bilinear", align_corners=False)
        rows = rows.reshape(batch, channels * height, 1, FACTOR * width)
        enlarged = nn.functional.interpolate(rows, size=(FACTOR, FACTOR * width), mode="bilinear", align_corners=False)
        return fine + enlarged.reshape(fine.shape)


class ExpandAndReshape(nn.Module):
    """Two dimensions of one, expanded to two: a view in PyTorch, a copy in a program."""

    def forward(self, coarse: torch.Tensor, fine: torch.Tensor) -> torch.Tensor:
        batch, channels, height, width = coarse.shape
        return fine + coarse.reshape(batch, channels, height, 1, width, 1).expand(
            -1, -1, -1, FACTOR, -1, FACTOR
        ).reshape(fine.shape)


class RepeatInterleave(nn.Module):
    """`repeat_interleave` along width, then height."""

    def forward(self, coarse: torch.Tensor, fine: torch.Tensor) -> torch.Tensor:
        return fine + coarse.repeat_interleave(FACTOR, dim=3).repeat_interleave(FACTOR, dim=2)


class BroadcastAdd(nn.Module):
    """No enlarged map at all: the addition itself repeats each coarse point over its four fine ones.

    With the fine map seen as (rows of points, 2, points, 2) and the coarse one as (rows, 1,
    points, 1), broadcasting is the enlargement. XNNPACK then adds two numbers at a time.
    """

    def forward(self, coarse: torch.Tensor, fine: torch.Tensor) -> torch.Tensor:
        batch, channels, height, width = coarse.shape
        rows = batch * channels * height
        total = fine.reshape(rows, FACTOR, width, FACTOR) + coarse.reshape(rows, 1, width, 1)
        return total.reshape(fine.shape)


class BroadcastAddChannelsLast(nn.Module):
    """`BroadcastAdd` with the channels innermost: XNNPACK adds all channels of a point at a time.

    The convolution before it leaves its map in that layout, and a program's output is in the other,
    so that two of the transpositions would be there anyway.
    """

    def forward(self, coarse: torch.Tensor, fine: torch.Tensor) -> torch.Tensor:
        batch, channels, height, width = coarse.shape
        points = fine.permute(0, 2, 3, 1).reshape(batch * height, FACTOR, width, FACTOR, channels)
        total = points + coarse.permute(0, 2, 3, 1).reshape(batch * height, 1, width, 1, channels)
        return total.reshape(batch, FACTOR * height, FACTOR * width, channels).permute(0, 3, 1, 2)


def enlarging_forms(channels: int) -> dict[str, nn.Module]:
    """Return every form by name, for maps of `channels`, in the order in which they are reported."""
    return {
        "upsample_nearest2d": UpsampleNearest(),
        "reshape and concatenate": ReshapeAndConcatenate(),
        "transposed convolution": TransposedConvolution(channels),
        "resize single points": ResizeSinglePoints(),
        "expand and reshape": ExpandAndReshape(),
        "repeat_interleave": RepeatInterleave(),
        "broadcast addition": BroadcastAdd(),
        "broadcast addition, channels last": BroadcastAddChannelsLast(),
    }
