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

from model_profiling.models import export_friendly_functions as functions


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
        return functions.hard_sigmoid(x, self.slope, self.offset)


class SiLU(nn.Module):
    """``nn.SiLU`` without its detour over float32 in an fp16 graph, within one rounding."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functions.silu(x)


class TanhGELU(_WithNumbers):
    """``nn.GELU(approximate="tanh")`` for fp16, where XNNPACK has none.

    From the identity (1 + tanh(y)) / 2 = sigmoid(2 y). Within 5e-4 of the exact GELU, as that
    approximation itself is (Hendrycks and Gimpel 2016).
    """

    linear: torch.Tensor
    cubic: torch.Tensor

    def __init__(self) -> None:
        super().__init__(linear=functions.GELU_LINEAR, cubic=functions.GELU_CUBIC)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functions.tanh_gelu(x, self.linear, self.cubic)


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


class _Normalization(_WithNumbers):
    """What normalizations have in common: the root of their epsilon, and a divisor that float16 needs."""

    root_epsilon: torch.Tensor
    divisor: torch.Tensor

    def __init__(self, epsilon: float) -> None:
        super().__init__(root_epsilon=math.sqrt(epsilon), divisor=functions.SPREAD)

    @property
    def spread(self) -> torch.Tensor | None:
        return self.divisor if self.divisor.dtype == torch.float16 else None


class LayerNorm(_Normalization):
    """``nn.LayerNorm`` over the last dimension, with its weights; summed in another order."""

    def __init__(self, original: nn.LayerNorm) -> None:
        super().__init__(original.eps)
        if len(original.normalized_shape) != 1:
            raise ValueError(f"LayerNorm over {original.normalized_shape}: one dimension is supported")
        self.weight, self.bias = original.weight, original.bias

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functions.layer_norm(x, self.weight, self.bias, self.root_epsilon, self.spread)


class GroupNorm(_Normalization):
    """``nn.GroupNorm`` of (n, c, h, w), with its weights; ``InstanceNorm2d`` is one group a channel."""

    def __init__(self, original: nn.GroupNorm) -> None:
        super().__init__(original.eps)
        self.groups = original.num_groups
        self.weight, self.bias = original.weight, original.bias

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functions.group_norm(x, self.weight, self.bias, self.root_epsilon, self.spread, self.groups)


class RMSNorm(_Normalization):
    """``nn.RMSNorm`` over the last dimension, with its weight and its epsilon (which it must have)."""

    def __init__(self, original: nn.RMSNorm) -> None:
        super().__init__(original.eps if original.eps is not None else torch.finfo(torch.float32).eps)
        self.weight = original.weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functions.rms_norm(x, self.weight, self.root_epsilon, self.spread)


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
        self.register_buffer("across", torch.ones(1, 1, 1, factor), persistent=False)
        self.register_buffer("down", torch.ones(1, 1, factor, 1), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functions.upsample_nearest(x, self.across, self.down)


class LargeDepthwise2d(nn.Module):
    """A depthwise ``nn.Conv2d`` of more than 25 taps, such as 7x7, as a sum of smaller ones; takes over its weights.

    Exact but for the order of adding up.

    Raises
    ------
    ValueError : the convolution is not depthwise, has a dilation, or does not divide into bands.
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.stride, self.groups = (conv.stride[0], conv.stride[1]), conv.groups
        height, width = conv.kernel_size
        if conv.weight.shape[1] != 1 or set(conv.dilation) != {1} or isinstance(conv.padding, str):
            raise ValueError(f"{conv} is no depthwise convolution with a padding in numbers and without dilation")
        self.bands = functions.depthwise_bands((height, width), (conv.padding[0], conv.padding[1]))
        if not self.bands:
            raise ValueError(f"{conv} does not divide into kernels of {functions.DEPTHWISE_TAPS} taps")
        self.bias = conv.bias
        self.kernels = nn.ParameterList(nn.Parameter(band.of(conv.weight.detach())) for band in self.bands)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functions.banded_depthwise(
            x, self.bias, *self.kernels, bands=self.bands, stride=self.stride, groups=self.groups
        )


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
    return functions.softmax(x, 1)


# Attention -----------------------------------------------------------------------------------------


def causal_mask(tokens: int) -> torch.Tensor:
    """Return the additive float mask (tokens, tokens) that hides later positions; register it as a buffer.

    What it adds there is far enough from every score and still finite in float16.
    """
    return torch.triu(torch.full((tokens, tokens), functions.HIDDEN), diagonal=1)


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
        return functions.attention(q, k, v, self.scale, mask)


def cache_update(cache: torch.Tensor, new: torch.Tensor, position: torch.Tensor) -> torch.Tensor:
    """Return `cache` (n, heads, tokens, size) with `new` (n, heads, 1, size) at one token.

    `position` is a float mask (1, 1, tokens, 1) with 1 at that token and 0 elsewhere, in place of
    an index. Exact for finite values, up to the rounding of cache - cache * 1. The whole cache is
    rewritten: for long caches compare it with ``index_put``.
    """
    return cache - cache * position + new * position
