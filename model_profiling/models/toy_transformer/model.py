# SPDX-License-Identifier: Apache-2.0
"""`toy_transformer`: attention, softmax, layer norm and GELU over float embeddings.

Nearly all its multiply-adds are matrix multiplications. Layer norm stays outside XNNPACK
(and GELU too in fp16), so it also shows what a graph split into several delegates costs.
"""

from __future__ import annotations

import torch
from torch import nn

from model_profiling.models.contract import EagerModel, seeded

SEED = 20170612
TOKENS = 128
WIDTH = 192
HEADS = 4
LAYERS = 2
CLASSES = 16
CALIBRATION_SAMPLES = 8


class Attention(nn.Module):
    """Multi-head self-attention, spelled out so that each matrix multiplication is visible."""

    def __init__(self) -> None:
        super().__init__()
        self.query = nn.Linear(WIDTH, WIDTH)
        self.key = nn.Linear(WIDTH, WIDTH)
        self.value = nn.Linear(WIDTH, WIDTH)
        self.project = nn.Linear(WIDTH, WIDTH)
        self.scale = (WIDTH // HEADS) ** -0.5

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, tokens, _ = x.shape

        def heads(y: torch.Tensor) -> torch.Tensor:
            return y.reshape(batch, tokens, HEADS, WIDTH // HEADS).transpose(1, 2)

        scores = heads(self.query(x)) @ heads(self.key(x)).transpose(2, 3)
        weights = torch.softmax(scores * self.scale, dim=-1)
        mixed = (weights @ heads(self.value(x))).transpose(1, 2)
        return self.project(mixed.reshape(batch, tokens, WIDTH))


class Block(nn.Module):
    """Pre-norm encoder block: attention, then a feed-forward network four times as wide."""

    def __init__(self) -> None:
        super().__init__()
        self.norm_attention = nn.LayerNorm(WIDTH)
        self.attention = Attention()
        self.norm_feed_forward = nn.LayerNorm(WIDTH)
        self.feed_forward = nn.Sequential(nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.attention(self.norm_attention(x))
        return x + self.feed_forward(self.norm_feed_forward(x))


class ToyTransformerModule(nn.Module):
    """Two encoder blocks and a linear head on the first token."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*(Block() for _ in range(LAYERS)))
        self.norm = nn.LayerNorm(WIDTH)
        self.head = nn.Linear(WIDTH, CLASSES)

    def forward(self, embeddings: torch.Tensor) -> torch.Tensor:
        return self.head(self.norm(self.blocks(embeddings))[:, 0])


class ToyTransformer(EagerModel):
    """`toy_transformer` as the registry sees it."""

    def get_eager_model(self) -> nn.Module:
        with seeded(SEED):
            return ToyTransformerModule().eval()

    def get_example_inputs(self) -> tuple[torch.Tensor, ...]:
        return self.get_calibration_inputs()[0]

    def get_calibration_inputs(self) -> list[tuple[torch.Tensor, ...]]:
        generator = torch.Generator().manual_seed(SEED)
        return [(torch.randn(1, TOKENS, WIDTH, generator=generator),) for _ in range(CALIBRATION_SAMPLES)]
