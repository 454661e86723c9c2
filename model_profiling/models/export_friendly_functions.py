# SPDX-License-Identifier: Apache-2.0
"""What `export_friendly`'s modules and the exporter's rewrites compute, defined once: functions of tensors alone.

Numbers are tensors here too: a Python number in a graph becomes a float32 tensor that an fp16 program converts in
every execution. A module keeps them as buffers, a rewrite stores them in the program.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.nn import functional

#: Of GELU's tanh approximation (Hendrycks and Gimpel 2016), doubled: (1 + tanh(y)) / 2 = sigmoid(2 y).
GELU_LINEAR = 2 * math.sqrt(2 / math.pi)
GELU_CUBIC = GELU_LINEAR * 0.044715
#: Added to the scores of what attention must not see: far enough from every score, still finite in float16.
HIDDEN = -1e4
#: In float16 a deviation is divided by this many times the mean deviation before it is squared: neither overflows.
SPREAD = 16.0


def hard_sigmoid(x: torch.Tensor, slope: torch.Tensor, offset: torch.Tensor) -> torch.Tensor:
    """Return ``clamp(x / 6 + 1 / 2, 0, 1)`` with `slope` 1/6 and `offset` 1/2."""
    return torch.clamp(x * slope + offset, 0.0, 1.0)


def silu(x: torch.Tensor) -> torch.Tensor:
    """Return ``x * sigmoid(x)``."""
    return x * torch.sigmoid(x)


def tanh_gelu(x: torch.Tensor, linear: torch.Tensor, cubic: torch.Tensor) -> torch.Tensor:
    """Return GELU's tanh approximation, from (1 + tanh(y)) / 2 = sigmoid(2 y)."""
    return x * torch.sigmoid(x * (linear + cubic * (x * x)))


def centered(x: torch.Tensor, root_epsilon: torch.Tensor, spread: torch.Tensor | None = None) -> torch.Tensor:
    """Return `x` (n, m, 1, k) with zero mean and unit variance over its last two dimensions.

    `root_epsilon` is the square root of what is added to the variance. With `spread` (in float16) deviations are
    scaled before they are squared, since squares leave that type's range at 256 and below 0.008.
    """
    return by_root_mean_square(x - x.mean((2, 3), keepdim=True), root_epsilon, spread)


def by_root_mean_square(
    x: torch.Tensor, root_epsilon: torch.Tensor, spread: torch.Tensor | None = None
) -> torch.Tensor:
    """Return `x` (n, m, 1, k) over the root of its mean square over the last two dimensions; as `centered` has it."""
    if spread is not None:
        scale = (torch.abs(x).mean((2, 3), keepdim=True) + root_epsilon) * spread
        x, root_epsilon = x / scale, root_epsilon / scale
    mean_square = (x * x).mean((2, 3), keepdim=True)
    return x * torch.rsqrt(mean_square + root_epsilon * root_epsilon)


def layer_norm(
    x: torch.Tensor,
    weight: torch.Tensor | None,
    bias: torch.Tensor | None,
    root_epsilon: torch.Tensor,
    spread: torch.Tensor | None = None,
    width: int = 0,
) -> torch.Tensor:
    """Return ``functional.layer_norm`` over the last dimensions, which hold `width` values (0: the last one alone)."""
    width = width or x.shape[-1]
    y = centered(x.reshape(1, -1, 1, width), root_epsilon, spread).reshape(x.shape)
    y = y if weight is None else y * weight
    return y if bias is None else y + bias


def rms_norm(
    x: torch.Tensor,
    weight: torch.Tensor | None,
    root_epsilon: torch.Tensor,
    spread: torch.Tensor | None = None,
    width: int = 0,
) -> torch.Tensor:
    """Return ``functional.rms_norm`` over the last dimensions, which hold `width` values (0: the last one alone)."""
    y = by_root_mean_square(x.reshape(1, -1, 1, width or x.shape[-1]), root_epsilon, spread).reshape(x.shape)
    return y if weight is None else y * weight


def group_norm(
    x: torch.Tensor,
    weight: torch.Tensor | None,
    bias: torch.Tensor | None,
    root_epsilon: torch.Tensor,
    spread: torch.Tensor | None,
    groups: int,
) -> torch.Tensor:
    """Return ``functional.group_norm`` of (n, c, ...)."""
    n, c = x.shape[:2]
    y = centered(x.reshape(n, groups, 1, -1), root_epsilon, spread).reshape(x.shape)
    channels = (1, c, *[1] * (x.dim() - 2))
    y = y if weight is None else y * weight.reshape(channels)
    return y if bias is None else y + bias.reshape(channels)


def upsample_nearest(x: torch.Tensor, across: torch.Tensor, down: torch.Tensor) -> torch.Tensor:
    """Return (n, c, h, w) with each value repeated, across (1, 1, 1, k) and down (1, 1, k, 1) as ones."""
    n, c, h, w = x.shape
    wide, high = across.shape[3], down.shape[2]
    rows = (x.reshape(n * c, h, w, 1) * across).reshape(n * c, h, 1, w * wide)
    return (rows * down).reshape(n, c, h * high, w * wide)


def softmax(x: torch.Tensor, dim: int) -> torch.Tensor:
    """Return ``x.softmax(dim)`` in three dimensions with `dim` last.

    XNNPACK takes the last dimension alone, and its softmax of a 4-D tensor is wrong after a convolution.
    """
    dim %= x.dim()
    outer, size = x.shape[:dim], x.shape[dim]
    if dim == x.dim() - 1:
        return torch.softmax(x.reshape(1, -1, size), dim=-1).reshape(x.shape)
    flat = x.reshape(outer.numel(), size, -1)
    return torch.softmax(flat.transpose(1, 2), dim=-1).transpose(1, 2).reshape(x.shape)


def mean(x: torch.Tensor, dims: tuple[int, ...], keepdim: bool) -> torch.Tensor:
    """Return ``x.mean(dims, keepdim)`` as a mean over the last two of four dimensions, which XNNPACK takes alone."""
    dims = tuple(sorted(dim % x.dim() for dim in dims))
    kept = [dim for dim in range(x.dim()) if dim not in dims]
    order = [*kept, *dims]
    last = x if order == list(range(x.dim())) else x.permute(order)
    size = torch.Size([x.shape[dim] for dim in dims]).numel()
    flat = last.reshape(1, -1, 1, size).mean((2, 3), keepdim=True)
    return flat.reshape([1 if dim in dims else x.shape[dim] for dim in range(x.dim()) if keepdim or dim not in dims])


def attention(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, scale: torch.Tensor, mask: torch.Tensor | None = None
) -> torch.Tensor:
    """Return ``scaled_dot_product_attention`` of (n, heads, tokens, size), products and softmax in three dimensions.

    `mask` is added to the scores. Fewer heads of `k` and `v` are shared by groups of those of `q`, without a copy.
    A row that hides everything gives a mean of `v`, where the original gives 0 or NaN.
    """
    *batch, heads, tokens, size = q.shape
    n, groups, length = torch.Size(batch).numel(), k.shape[-3], k.shape[-2]
    rows = (q * scale).reshape(n * groups, heads // groups * tokens, size)
    scores = torch.bmm(rows, k.reshape(n * groups, length, size).transpose(1, 2))
    if mask is not None:
        broadcast = mask.reshape([1] * (q.dim() - mask.dim()) + list(mask.shape))
        scores = scores.reshape(*batch, heads, tokens, length) + broadcast
    weights = torch.softmax(scores.reshape(n * groups, -1, length), dim=-1)
    return torch.bmm(weights, v.reshape(n * groups, length, -1)).reshape(*batch, heads, tokens, v.shape[-1])


def chosen(x: torch.Tensor, y: torch.Tensor, keep: torch.Tensor, one: torch.Tensor) -> torch.Tensor:
    """Return `x` where `keep` is 1 and `y` where it is 0, exact for finite values."""
    return x * keep + y * (one - keep)


def hidden_scores(keep: torch.Tensor, one: torch.Tensor, far: torch.Tensor) -> torch.Tensor:
    """Return what is added to scores: 0 where `keep` is 1, -`far` where it is 0."""
    return (keep - one) * far


def nonzero(x: torch.Tensor) -> torch.Tensor:
    """Return 1 where a whole number is not 0, else 0."""
    return torch.clamp(torch.abs(x), max=1.0)


def pieces(x: torch.Tensor, dim: int, sizes: list[int]) -> list[torch.Tensor]:
    """Return ``x.split(sizes, dim)`` as slices."""
    starts = [sum(sizes[:index]) for index in range(len(sizes))]
    return [x.narrow(dim, start, size) for start, size in zip(starts, sizes, strict=True)]


def repeated(x: torch.Tensor, ones: torch.Tensor) -> torch.Tensor:
    """Return `x` broadcast to the shape of `ones`."""
    return x * ones


#: XNNPACK's depthwise kernels have up to 25 taps (those called "25p" and "up25" in src/f32-dwconv).
DEPTHWISE_TAPS = 25


@dataclass(frozen=True)
class Band:
    """Rows or columns of a depthwise kernel that one smaller convolution takes, `lines` apart by the same distance.

    `axis` is 2 for rows, 3 for columns; `padding` is that of the smaller convolution, height and width.
    """

    axis: int
    lines: tuple[int, ...]
    padding: tuple[int, int]

    @property
    def dilation(self) -> tuple[int, int]:
        apart = self.lines[1] - self.lines[0] if len(self.lines) > 1 else 1
        return (apart, 1) if self.axis == 2 else (1, apart)

    def of(self, weight: torch.Tensor) -> torch.Tensor:
        """Return the band of a kernel (channels, 1, height, width)."""
        return weight.index_select(self.axis, torch.tensor(self.lines)).contiguous()


def depthwise_bands(kernel: tuple[int, int], padding: tuple[int, int]) -> tuple[Band, ...]:
    """Return the bands of a depthwise kernel, each of at most `DEPTHWISE_TAPS` taps; none where it does not divide.

    The middle lines are one band. Of the others each two that lie opposite are one, the distance between them being
    its dilation: so every band is centered on the kernel's middle, and padding by as much on both sides will do.
    """
    for axis in (2, 3):
        lines, across = kernel[axis - 2], kernel[3 - axis]
        middle = min(DEPTHWISE_TAPS // across, lines)
        middle -= (lines - middle) % 2
        first = (lines - middle) // 2
        if middle > 0 and first <= padding[axis - 2] and (not first or 2 * across <= DEPTHWISE_TAPS):
            rows = [tuple(range(first, lines - first)), *((n, lines - 1 - n) for n in range(first))]
            return tuple(Band(axis, held, _less(padding, axis, held[0])) for held in rows)
    return ()


def _less(padding: tuple[int, int], axis: int, by: int) -> tuple[int, int]:
    return (padding[0] - by, padding[1]) if axis == 2 else (padding[0], padding[1] - by)


def banded_depthwise(
    x: torch.Tensor,
    bias: torch.Tensor | None,
    *weights: torch.Tensor,
    bands: Sequence[Band],
    stride: tuple[int, int],
    groups: int,
) -> torch.Tensor:
    """Return a depthwise convolution of `x` as the sum over its `bands`, whose kernels are `weights`."""
    total = functional.conv2d(x, weights[0], bias, stride, bands[0].padding, bands[0].dilation, groups)
    for band, weight in zip(bands[1:], weights[1:], strict=True):
        total = total + functional.conv2d(x, weight, None, stride, band.padding, band.dilation, groups)
    return total
