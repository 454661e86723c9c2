# SPDX-License-Identifier: Apache-2.0
"""Replacements for PyTorch layers and functions that XNNPACK does not take as they are.

Each computes what the original computes (exactly, or within a stated bound) in operators that
XNNPACK takes in fp32 and in fp16, so that a graph stays in one delegate. What each saves is
measured, not said here: ``model_profiling/tools/measure_replacements.py`` prints it for this
machine. Only forms that reduce the operators outside XNNPACK in ExecuTorch 1.5.1 are kept.

Two rules stand behind most of them. Numbers are buffers: a Python number becomes a float32 tensor
that an fp16 program converts in every execution. Reductions are means over the last two of four
dimensions, or products with ones: XNNPACK has no others.
"""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional


class _WithNumbers(nn.Module):
    """A module whose numbers are buffers: cast with it, and not part of its state dict."""

    def __init__(self, **numbers: float) -> None:
        super().__init__()
        for name, value in numbers.items():
            self.register_buffer(name, torch.tensor(float(value)), persistent=False)


# Activations --------------------------------------------------------------------------------------


class HardSigmoid(_WithNumbers):
    """``nn.Hardsigmoid``, within one rounding of the type. Input and output of any shape."""

    slope: torch.Tensor
    offset: torch.Tensor

    def __init__(self) -> None:
        super().__init__(slope=1 / 6, offset=0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.clamp(x * self.slope + self.offset, 0.0, 1.0)


class SiLU(nn.Module):
    """``nn.SiLU`` without its detour over float32 in an fp16 graph, within one rounding."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * torch.sigmoid(x)


class TanhGELU(_WithNumbers):
    """``nn.GELU(approximate="tanh")`` for fp16, where XNNPACK has none.

    From the identity (1 + tanh(y)) / 2 = sigmoid(2 y). Within 5e-4 of the exact GELU, as that
    approximation itself is (Hendrycks and Gimpel 2016).
    """

    linear: torch.Tensor
    cubic: torch.Tensor

    def __init__(self) -> None:
        super().__init__(linear=2 * math.sqrt(2 / math.pi), cubic=2 * math.sqrt(2 / math.pi) * 0.044715)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * torch.sigmoid(x * (self.linear + self.cubic * (x * x)))


class ELU(_WithNumbers):
    """``nn.ELU``; the difference of two numbers near 1 costs accuracy near zero (6e-8 in fp32, 5e-4 in fp16)."""

    alpha: torch.Tensor

    def __init__(self, alpha: float = 1.0) -> None:
        super().__init__(alpha=alpha)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(x) + (torch.exp(torch.clamp(x, max=0.0)) * self.alpha - self.alpha)


class Softplus(_WithNumbers):
    """``nn.Softplus()``; an absolute error of up to 6e-8 (fp32) or 5e-4 (fp16) for very negative inputs."""

    one: torch.Tensor

    def __init__(self) -> None:
        super().__init__(one=1.0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(x) + torch.log(torch.exp(-torch.abs(x)) + self.one)


class Mish(Softplus):
    """``nn.Mish``, with `Softplus`."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * torch.tanh(super().forward(x))


# Normalization -------------------------------------------------------------------------------------


def _centered(x: torch.Tensor, epsilon: torch.Tensor) -> torch.Tensor:
    """Return `x` (n, m, 1, k) with zero mean and unit variance over its last two dimensions."""
    difference = x - x.mean((2, 3), keepdim=True)
    variance = (difference * difference).mean((2, 3), keepdim=True)
    return difference * torch.rsqrt(variance + epsilon)


class LayerNorm(_WithNumbers):
    """``nn.LayerNorm`` over the last dimension, with its weights; summed in another order."""

    epsilon: torch.Tensor

    def __init__(self, original: nn.LayerNorm) -> None:
        super().__init__(epsilon=original.eps)
        if len(original.normalized_shape) != 1:
            raise ValueError(f"LayerNorm over {original.normalized_shape}: one dimension is supported")
        self.weight, self.bias = original.weight, original.bias

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = _centered(x.reshape(1, -1, 1, x.shape[-1]), self.epsilon).reshape(x.shape)
        y = y if self.weight is None else y * self.weight
        return y if self.bias is None else y + self.bias


class GroupNorm(_WithNumbers):
    """``nn.GroupNorm`` of (n, c, h, w), with its weights; ``InstanceNorm2d`` is one group a channel."""

    epsilon: torch.Tensor

    def __init__(self, original: nn.GroupNorm) -> None:
        super().__init__(epsilon=original.eps)
        self.groups = original.num_groups
        self.weight, self.bias = original.weight, original.bias

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        n, c, h, w = x.shape
        y = _centered(x.reshape(n, self.groups, 1, c // self.groups * h * w), self.epsilon).reshape(n, c, h, w)
        y = y if self.weight is None else y * self.weight.reshape(1, c, 1, 1)
        return y if self.bias is None else y + self.bias.reshape(1, c, 1, 1)


class RMSNorm(_WithNumbers):
    """``nn.RMSNorm`` over the last dimension, with its weight and its epsilon (which it must have)."""

    epsilon: torch.Tensor

    def __init__(self, original: nn.RMSNorm) -> None:
        super().__init__(epsilon=original.eps if original.eps is not None else torch.finfo(torch.float32).eps)
        self.weight = original.weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        squares = (x * x).reshape(1, -1, 1, x.shape[-1]).mean((2, 3), keepdim=True)
        y = x * torch.rsqrt(squares + self.epsilon).reshape(*x.shape[:-1], 1)
        return y if self.weight is None else y * self.weight


class L2Normalize(nn.Module):
    """``functional.normalize(x, dim=-1)`` of vectors of length `size` that are not all zero."""

    ones: torch.Tensor
    epsilon: torch.Tensor

    def __init__(self, size: int, epsilon: float = 1e-12) -> None:
        super().__init__()
        self.register_buffer("ones", torch.ones(size, 1), persistent=False)
        self.register_buffer("epsilon", torch.tensor(epsilon), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * torch.rsqrt((x * x) @ self.ones + self.epsilon)


# Images --------------------------------------------------------------------------------------------


class UpsampleNearest2d(nn.Module):
    """Nearest upsampling of (n, c, h, w) by a whole factor, exact: multiplication by ones repeats.

    Delegated is not always faster: measure it in the whole model.
    """

    across: torch.Tensor
    down: torch.Tensor

    def __init__(self, factor: int) -> None:
        super().__init__()
        self.factor = factor
        self.register_buffer("across", torch.ones(1, 1, 1, factor), persistent=False)
        self.register_buffer("down", torch.ones(1, 1, factor, 1), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        n, c, h, w = x.shape
        wide = x.reshape(n * c, h, w, 1) * self.across
        return (wide.reshape(n * c, h, 1, w * self.factor) * self.down).reshape(n, c, h * self.factor, w * self.factor)


class MaxPool1d(nn.Module):
    """``nn.MaxPool1d(kernel, stride)`` of (n, c, l), exact, as the pooling of an image one row high."""

    def __init__(self, kernel: int, stride: int) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        n, c, length = x.shape
        pooled = functional.max_pool2d(x.reshape(n, c, 1, length), (1, self.kernel), (1, self.stride))
        return pooled.reshape(n, c, pooled.shape[-1])


def reflect_pad2d(x: torch.Tensor, size: int) -> torch.Tensor:
    """``functional.pad(x, (size,) * 4, mode="reflect")`` of (n, c, h, w), exact, by slices."""
    w, h = x.shape[3], x.shape[2]
    left = [x[..., k : k + 1] for k in range(size, 0, -1)]
    right = [x[..., w - 1 - k : w - k] for k in range(1, size + 1)]
    wide = torch.cat([*left, x, *right], dim=3)
    top = [wide[:, :, k : k + 1] for k in range(size, 0, -1)]
    bottom = [wide[:, :, h - 1 - k : h - k] for k in range(1, size + 1)]
    return torch.cat([*top, wide, *bottom], dim=2)


def softmax_channels(x: torch.Tensor) -> torch.Tensor:
    """``x.softmax(1)`` of (n, c, h, w), in three dimensions: XNNPACK's softmax of four is wrong after a convolution."""
    n, c, h, w = x.shape
    return torch.softmax(x.reshape(n, c, h * w).transpose(1, 2), dim=-1).transpose(1, 2).reshape(n, c, h, w)


# Attention -----------------------------------------------------------------------------------------


def causal_mask(tokens: int) -> torch.Tensor:
    """Return the additive float mask (tokens, tokens) that hides later positions; register it as a buffer.

    -1e4 is far enough from every score and still finite in float16.
    """
    return torch.triu(torch.full((tokens, tokens), -1e4), diagonal=1)


class Attention(_WithNumbers):
    """``functional.scaled_dot_product_attention(q, k, v, mask)`` of (n, heads, tokens, size), without its checks.

    `mask` is added to the scores. A row that hides everything gives the mean of `v`, the original gives 0.
    """

    scale: torch.Tensor

    def __init__(self, size: int) -> None:
        super().__init__(scale=1 / math.sqrt(size))

    def forward(
        self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: torch.Tensor | None = None
    ) -> torch.Tensor:
        n, heads, tokens, _ = q.shape
        scores = (q @ k.transpose(-2, -1)) * self.scale
        scores = scores if mask is None else scores + mask
        # Three dimensions for the softmax: see `softmax_channels`.
        weights = torch.softmax(scores.reshape(n * heads, tokens, k.shape[2]), dim=-1)
        return weights.reshape(n, heads, tokens, k.shape[2]) @ v


def cache_update(cache: torch.Tensor, new: torch.Tensor, position: torch.Tensor) -> torch.Tensor:
    """Return `cache` (n, heads, tokens, size) with `new` (n, heads, 1, size) at one token.

    `position` is a float mask (1, 1, tokens, 1) with 1 at that token and 0 elsewhere, in place of
    an index. Exact for finite values, up to the rounding of cache - cache * 1. The whole cache is
    rewritten: for long caches compare it with ``index_put``.
    """
    return cache - cache * position + new * position
