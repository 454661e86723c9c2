# SPDX-License-Identifier: Apache-2.0
"""A small anchor-based detector with box decoding and a top-k of candidates in place of suppression.

Written as its author would have it, before any thought of export: strided slices and indexing in
the decoding, nearest upsampling in the neck, top-k at the end.
"""

import torch
from executorch.examples.models.model_base import EagerModelBase
from torch import nn
from torch.nn import functional

CLASSES, ANCHORS, STRIDES, CANDIDATES = 6, 3, (8, 16), 20
SIZES = ((12.0, 20.0, 32.0), (40.0, 56.0, 80.0))


def block(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.SiLU())


class Head(nn.Module):
    """Scores and boxes of one level, decoded to pixels."""

    def __init__(self, channels: int, stride: int, sizes: tuple[float, ...]) -> None:
        super().__init__()
        self.stride = stride
        self.predict = nn.Conv2d(channels, ANCHORS * (4 + CLASSES), 1)
        self.register_buffer("sizes", torch.tensor(sizes).view(1, ANCHORS, 1, 1, 1).expand(1, ANCHORS, 1, 1, 2).clone())

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        n, _, h, w = x.shape
        y = self.predict(x).view(n, ANCHORS, 4 + CLASSES, h, w).permute(0, 1, 3, 4, 2)
        row, column = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
        grid = torch.stack([column, row], -1).to(y.dtype)
        center = (y[..., 0:2].sigmoid() * 2 - 0.5 + grid) * self.stride
        size = (y[..., 2:4].sigmoid() * 2) ** 2 * self.sizes
        boxes = torch.cat([center - size / 2, center + size / 2], -1)
        return boxes.reshape(n, -1, 4), y[..., 4:].sigmoid().reshape(n, -1, CLASSES)


class Detector(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(block(3, 16, 2), block(16, 24, 2), block(24, 32, 2))
        self.deep = nn.Sequential(block(32, 48, 2), nn.MaxPool2d(3, 1, 1))
        self.reduce, self.merge = nn.Conv2d(48, 32, 1), block(64, 32)
        self.heads = nn.ModuleList([Head(32, 8, SIZES[0]), Head(48, 16, SIZES[1])])

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        fine = self.stem(image)
        deep = self.deep(fine)
        up = functional.interpolate(self.reduce(deep), scale_factor=2, mode="nearest")
        levels = [head(x) for head, x in zip(self.heads, (self.merge(torch.cat([fine, up], 1)), deep), strict=True)]
        boxes, scores = (torch.cat(parts, 1) for parts in zip(*levels, strict=True))
        best, label = scores.max(-1)
        score, kept = best.topk(CANDIDATES, dim=1)
        return boxes.gather(1, kept.unsqueeze(-1).expand(-1, -1, 4)), score, label.gather(1, kept)


class DetectorModel(EagerModelBase):
    def get_eager_model(self) -> nn.Module:
        torch.manual_seed(3)
        return Detector().eval()

    def get_example_inputs(self) -> tuple[torch.Tensor, ...]:
        return (torch.rand(1, 3, 96, 96, generator=torch.Generator().manual_seed(1)),)
