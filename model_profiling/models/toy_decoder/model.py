# SPDX-License-Identifier: Apache-2.0
"""`toy_decoder`: a decoder as small language models are built, in the form that XNNPACK takes.

RMS normalization, rotary positions, attention whose keys and values are shared by groups of heads, a gated
feed-forward network, and a static cache: the architecture of Llama (Touvron et al. 2023, Ainslie et al. 2023) with
15 million untrained parameters. `prefill` takes a prompt of up to 128 tokens at once, `decode` one token: the same
weights, once in matrix products of many rows and once of one row, which is what decides whether SME2 helps.

Lookups, the cache's update and the comparison of positions stay outside XNNPACK, which has no operators for them.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional

from model_profiling.models import export_friendly_functions as functions
from model_profiling.models.contract import MethodsModel, seeded
from model_profiling.models.export_friendly import RMSNorm, SiLU

SEED = 20230227
VOCABULARY = 8192
WIDTH = 512
LAYERS = 3
HEADS, GROUPS, HEAD_SIZE = 8, 2, 64
HIDDEN_WIDTH = 1024
CONTEXT = 256
PROMPT = 128
EPSILON = 1e-5
ROTARY_BASE = 10000.0
CALIBRATION_SAMPLES = 4


class Turns(NamedTuple):
    """Cosines and sines (tokens, HEAD_SIZE) of the positions' angles, and the matrix of a quarter turn."""

    cosines: torch.Tensor
    sines: torch.Tensor
    quarter: torch.Tensor


def rotary_tables() -> tuple[torch.Tensor, torch.Tensor]:
    """Return cosines and sines (CONTEXT, HEAD_SIZE) of rotary positions (Su et al. 2021)."""
    frequencies = ROTARY_BASE ** -(torch.arange(0, HEAD_SIZE, 2).float() / HEAD_SIZE)
    angles = torch.outer(torch.arange(CONTEXT).float(), frequencies)
    return torch.cat([angles.cos()] * 2, dim=1), torch.cat([angles.sin()] * 2, dim=1)


def quarter_turn() -> torch.Tensor:
    """Return the matrix that takes (a, b), halves of a head, to (-b, a): XNNPACK slices no shapes that vary."""
    half, zero = torch.eye(HEAD_SIZE // 2), torch.zeros(HEAD_SIZE // 2, HEAD_SIZE // 2)
    return torch.cat([torch.cat([zero, -half], dim=1), torch.cat([half, zero], dim=1)])


def rotated(x: torch.Tensor, turns: Turns) -> torch.Tensor:
    """Return `x` (1, heads, tokens, HEAD_SIZE) turned by the angles of its positions."""
    return x * turns.cosines + functional.linear(x, turns.quarter) * turns.sines


class Attention(nn.Module):
    """Attention over all that the cache holds; heads share keys and values in groups."""

    keys: torch.Tensor
    values: torch.Tensor
    scale: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.query = nn.Linear(WIDTH, HEADS * HEAD_SIZE, bias=False)
        self.key = nn.Linear(WIDTH, GROUPS * HEAD_SIZE, bias=False)
        self.value = nn.Linear(WIDTH, GROUPS * HEAD_SIZE, bias=False)
        self.project = nn.Linear(HEADS * HEAD_SIZE, WIDTH, bias=False)
        self.register_buffer("keys", torch.zeros(1, GROUPS, CONTEXT, HEAD_SIZE), persistent=False)
        self.register_buffer("values", torch.zeros(1, GROUPS, CONTEXT, HEAD_SIZE), persistent=False)
        self.register_buffer("scale", torch.tensor(HEAD_SIZE**-0.5), persistent=False)

    def forward(self, x: torch.Tensor, positions: torch.Tensor, turns: Turns, mask: torch.Tensor) -> torch.Tensor:
        tokens = x.shape[1]

        def heads(y: torch.Tensor, number: int) -> torch.Tensor:
            return y.reshape(1, tokens, number, HEAD_SIZE).transpose(1, 2)

        self.keys[:, :, positions] = rotated(heads(self.key(x), GROUPS), turns)
        self.values[:, :, positions] = heads(self.value(x), GROUPS)
        query = rotated(heads(self.query(x), HEADS), turns)
        mixed = functions.attention(query, self.keys, self.values, self.scale, mask)
        projected: torch.Tensor = self.project(mixed.transpose(1, 2).reshape(1, tokens, HEADS * HEAD_SIZE))
        return projected


class FeedForward(nn.Module):
    """The gated feed-forward network (SwiGLU, Shazeer 2020)."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = nn.Linear(WIDTH, HIDDEN_WIDTH, bias=False)
        self.up = nn.Linear(WIDTH, HIDDEN_WIDTH, bias=False)
        self.down = nn.Linear(HIDDEN_WIDTH, WIDTH, bias=False)
        self.activation = SiLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        gated: torch.Tensor = self.down(self.activation(self.gate(x)) * self.up(x))
        return gated


class Block(nn.Module):
    """One layer: attention, then the feed-forward network, each on the normalized sum so far."""

    def __init__(self) -> None:
        super().__init__()
        self.norm_attention = RMSNorm(nn.RMSNorm(WIDTH, EPSILON))
        self.attention = Attention()
        self.norm_feed_forward = RMSNorm(nn.RMSNorm(WIDTH, EPSILON))
        self.feed_forward = FeedForward()

    def forward(self, x: torch.Tensor, positions: torch.Tensor, turns: Turns, mask: torch.Tensor) -> torch.Tensor:
        attended: torch.Tensor = x + self.attention(self.norm_attention(x), positions, turns, mask)
        summed: torch.Tensor = attended + self.feed_forward(self.norm_feed_forward(attended))
        return summed


class ToyDecoderModule(nn.Module):
    """Token ids (1, tokens) and their positions (tokens) to the next token's scores (1, VOCABULARY)."""

    cosines: torch.Tensor
    sines: torch.Tensor
    quarter: torch.Tensor
    places: torch.Tensor
    one: torch.Tensor
    far: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, WIDTH)
        self.blocks = nn.ModuleList(Block() for _ in range(LAYERS))
        self.norm = RMSNorm(nn.RMSNorm(WIDTH, EPSILON))
        self.head = nn.Linear(WIDTH, VOCABULARY, bias=False)
        cosines, sines = rotary_tables()
        for name, table in {
            "cosines": cosines,
            "sines": sines,
            "quarter": quarter_turn(),
            "places": torch.arange(CONTEXT),
            "one": torch.tensor(1.0),
            "far": torch.tensor(-functions.HIDDEN),
        }.items():
            self.register_buffer(name, table, persistent=False)

    def forward(self, tokens: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        visible = (self.places[None, :] <= positions[:, None]).to(self.one.dtype)
        mask = functions.hidden_scores(visible, self.one, self.far)
        turns = Turns(self.cosines[positions], self.sines[positions], self.quarter)
        x = self.embedding(tokens)
        for block in self.blocks:
            x = block(x, positions, turns, mask)
        scores: torch.Tensor = self.head(self.norm(x[:, -1:]))[:, 0]
        return scores


class ToyDecoder(MethodsModel):
    """`toy_decoder` as the registry sees it."""

    def get_methods(self) -> dict[str, tuple[nn.Module, tuple[torch.Tensor, ...]]]:
        with seeded(SEED):
            module = ToyDecoderModule().eval()
        return {"prefill": (module, _prompt(0)), "decode": (module, _token(0))}

    def get_calibration_inputs(self) -> dict[str, list[tuple[torch.Tensor, ...]]]:
        samples = range(CALIBRATION_SAMPLES)
        return {"prefill": [_prompt(n) for n in samples], "decode": [_token(n) for n in samples]}

    def get_dynamic_shapes(self) -> dict[str, object]:
        rows = torch.export.Dim("rows", min=1, max=PROMPT)
        return {"prefill": {"tokens": {1: rows}, "positions": {0: rows}}}

    def get_input_ranges(self) -> dict[str, dict[str, tuple[int, int]]]:
        ranges = {"tokens": (0, VOCABULARY - 1), "positions": (0, CONTEXT - 1)}
        return {"prefill": ranges, "decode": ranges}

    def get_tokens(self) -> dict[str, int | str]:
        return {"prefill": "rows", "decode": 1}


def _prompt(sample: int) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(SEED + sample)
    return torch.randint(0, VOCABULARY, (1, PROMPT), generator=generator), torch.arange(PROMPT)


def _token(sample: int) -> tuple[torch.Tensor, ...]:
    """Return a token that stands after a whole prompt."""
    generator = torch.Generator().manual_seed(SEED + sample)
    return torch.randint(0, VOCABULARY, (1, 1), generator=generator), torch.tensor([PROMPT])
