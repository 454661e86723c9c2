# SPDX-License-Identifier: Apache-2.0
"""One step of a small language model: a token and its position in, scores of the next out, keys and values kept."""

import torch
from torch import nn
from torch.nn import functional

from model_profiling.models.registry import register

VOCABULARY, WIDTH, HEADS, CONTEXT, LAYERS = 96, 64, 4, 32, 2


class Layer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm, self.norm_after = nn.RMSNorm(WIDTH, eps=1e-5), nn.RMSNorm(WIDTH, eps=1e-5)
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH, bias=False), nn.Linear(WIDTH, WIDTH, bias=False)
        self.gate_up, self.down = nn.Linear(WIDTH, 4 * WIDTH, bias=False), nn.Linear(2 * WIDTH, WIDTH, bias=False)
        for name in ("keys", "values"):
            self.register_buffer(name, torch.zeros(1, HEADS, CONTEXT, WIDTH // HEADS), persistent=False)

    def rotate(self, x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
        first, second = x.chunk(2, dim=-1)
        return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)

    def forward(
        self, x: torch.Tensor, position: torch.Tensor, mask: torch.Tensor, turn: tuple[torch.Tensor, torch.Tensor]
    ) -> torch.Tensor:
        q, k, v = (
            part.view(1, 1, HEADS, WIDTH // HEADS).transpose(1, 2) for part in self.qkv(self.norm(x)).chunk(3, dim=-1)
        )
        self.keys.index_copy_(2, position, self.rotate(k, *turn))
        self.values.index_copy_(2, position, v)
        mixed = functional.scaled_dot_product_attention(self.rotate(q, *turn), self.keys, self.values, attn_mask=mask)
        x = x + self.out(mixed.transpose(1, 2).reshape(1, 1, WIDTH))
        gate, up = self.gate_up(self.norm_after(x)).chunk(2, dim=-1)
        return x + self.down(functional.silu(gate) * up)


class DecoderStep(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.tokens = nn.Embedding(VOCABULARY, WIDTH)
        self.layers = nn.ModuleList(Layer() for _ in range(LAYERS))
        self.norm, self.head = nn.RMSNorm(WIDTH, eps=1e-5), nn.Linear(WIDTH, VOCABULARY, bias=False)
        self.head.weight = self.tokens.weight
        half = WIDTH // HEADS // 2
        angle = torch.outer(torch.arange(CONTEXT).float(), 10000.0 ** (-torch.arange(half) / half))
        self.register_buffer("cos", angle.cos(), persistent=False)
        self.register_buffer("sin", angle.sin(), persistent=False)

    def forward(self, token: torch.Tensor, position: torch.Tensor) -> torch.Tensor:
        x = self.tokens(token)
        mask = torch.where(torch.arange(CONTEXT) <= position, 0.0, -1e4).view(1, 1, 1, CONTEXT).to(x.dtype)
        turn = self.cos[position], self.sin[position]
        for layer in self.layers:
            x = layer(x, position, mask, turn)
        return self.head(self.norm(x))


class DecoderStepModel:
    def get_eager_model(self) -> nn.Module:
        torch.manual_seed(7)
        return DecoderStep().eval()

    def get_example_inputs(self) -> tuple[torch.Tensor, ...]:
        return torch.tensor([[11]]), torch.tensor([0])

    def get_calibration_inputs(self) -> list[tuple[torch.Tensor, ...]]:
        return [(torch.tensor([[7 * step % VOCABULARY]]), torch.tensor([step])) for step in range(6)]


register("decoder_step", DecoderStepModel)
