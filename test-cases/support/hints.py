# SPDX-License-Identifier: Apache-2.0
"""One small model for each row of the hint table: as it stays outside XNNPACK, and with the hint followed.

All cases of a type are exported together, as submodules of one model: what is outside is told
apart by the submodule's name, and two exports do for sixty.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from model_profiling.export.replacements import Wrapped
from model_profiling.models import export_friendly as friendly

IMAGE, TOKENS, LINE = (1, 8, 12, 12), (1, 16, 8), (1, 8, 16)


@dataclass(frozen=True)
class Case:
    """`before` and `after` take the same input; `same` says whether they compute the same."""

    row: str
    before: Callable[[], nn.Module]
    after: Callable[[nn.Module], nn.Module]
    shape: tuple[int, ...] = IMAGE
    dtype: str = "fp32"
    same: bool = True


def case(
    row: str,
    before: Callable,
    after: Callable,
    shape: tuple[int, ...] = IMAGE,
    dtype: str = "fp32",
    same: bool = True,
    **state: torch.Tensor,
) -> Case:
    """Return a case of two functions; `state` are buffers of both."""

    def used(function: Callable[..., torch.Tensor]) -> dict[str, torch.Tensor]:
        parameters = function.__code__.co_varnames[: function.__code__.co_argcount]
        return {name: value for name, value in state.items() if name in parameters}

    return Case(
        row, lambda: Wrapped(before, **used(before)), lambda _: Wrapped(after, **used(after)), shape, dtype, same
    )


class Gru(nn.Module):
    """A GRU with one Linear for each gate of `original`, unrolled by the hand that wrote it."""

    def __init__(self, original: nn.GRU) -> None:
        super().__init__()
        self.register_buffer("start", torch.zeros(1, original.hidden_size))
        self.given, self.kept = (
            nn.ModuleList(self._gates(original, kind, original.hidden_size)) for kind in ("ih", "hh")
        )

    @staticmethod
    def _gates(original: nn.GRU, kind: str, size: int) -> list[nn.Linear]:
        weight, bias = getattr(original, f"weight_{kind}_l0"), getattr(original, f"bias_{kind}_l0")
        gates = []
        for at in range(0, 3 * size, size):
            gate = nn.Linear(weight.shape[1], size)
            gate.weight.data, gate.bias.data = weight.data[at : at + size].clone(), bias.data[at : at + size].clone()
            gates.append(gate)
        return gates

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        state, states = self.start, []
        for step in range(x.shape[1]):
            now = x[:, step : step + 1].reshape(1, x.shape[2])
            (r, z, n), (kept_r, kept_z, kept_n) = (
                [gate(value) for gate in gates] for gates, value in ((self.given, now), (self.kept, state))
            )
            update = torch.sigmoid(z + kept_z)
            new = torch.tanh(n + torch.sigmoid(r + kept_r) * kept_n)
            state = new + update * (state - new)
            states.append(state.reshape(1, 1, -1))
        return torch.cat(states, dim=1)


class First(nn.Module):
    """The first result of a layer that returns several."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x)[0]


def _written(x: torch.Tensor) -> torch.Tensor:
    y = x + x
    y[:, :, 1:3].mul_(3.0)
    return y


def _by_hand(x: torch.Tensor) -> torch.Tensor:
    y = x + x
    return torch.cat([y[:, :, :1], y[:, :, 1:3] * 3.0, y[:, :, 3:]], 2)


def _normalized(x: torch.Tensor) -> torch.Tensor:
    difference = x - x.mean((2, 3), keepdim=True)
    return (difference * difference).mean((2, 3), keepdim=True)


_HALF_MASK = torch.arange(12) < 6
_AT = functional.one_hot(torch.tensor(3), 16).float().reshape(1, 1, 16, 1)

CASES = (
    case(
        "attention",
        lambda x: functional.scaled_dot_product_attention(x, x + x, x),
        lambda x: (torch.softmax((x @ (x + x).transpose(-2, -1)) * (12**-0.5), -1)) @ x,
    ),
    Case("recurrent", lambda: First(nn.GRU(8, 4, batch_first=True)), lambda made: Gru(made.layer), (1, 3, 8)),
    case("border", lambda x: functional.pad(x, (1,) * 4, mode="reflect"), lambda x: friendly.reflect_pad2d(x, 1)),
    case("roll", lambda x: x.roll(2, 1), lambda x: torch.cat([x[:, -2:], x[:, :-2]], 1)),
    case(
        "bicubic",
        lambda x: functional.interpolate(x, scale_factor=2, mode="bicubic"),
        lambda x: functional.interpolate(x, scale_factor=2, mode="bilinear"),
        same=False,
    ),
    Case("pool 1-d", lambda: nn.MaxPool1d(2, 2), lambda _: friendly.MaxPool1d(2, 2), LINE),
    Case("hard-sigmoid", nn.Hardsigmoid, lambda _: friendly.HardSigmoid()),
    Case("hard-sigmoid", nn.Hardsigmoid, lambda _: friendly.HardSigmoid(), dtype="fp16"),
    Case("silu", nn.SiLU, lambda _: friendly.SiLU(), dtype="fp16"),
    Case("softplus", nn.Softplus, lambda _: friendly.Softplus()),
    Case("elu", nn.ELU, lambda _: friendly.ELU()),
    Case("RMS norm", lambda: nn.RMSNorm(8, eps=1e-6), friendly.RMSNorm, TOKENS),
    Case("instance norm", lambda: nn.InstanceNorm2d(8), lambda _: friendly.GroupNorm(nn.GroupNorm(8, 8, affine=False))),
    Case(
        "vector norm",
        lambda: Wrapped(lambda x: functional.normalize(x, dim=-1)),
        lambda _: friendly.L2Normalize(8),
        TOKENS,
    ),
    Case("layer norm", lambda: nn.LayerNorm(8), friendly.LayerNorm, TOKENS),
    Case("group norm", lambda: nn.GroupNorm(2, 8), friendly.GroupNorm),
    Case("gelu in fp16", nn.GELU, lambda _: friendly.TanhGELU(), dtype="fp16"),
    case("softmax dim", lambda x: x.softmax(1), lambda x: friendly.softmax_channels(x)),
    case("log-softmax", lambda x: x.log_softmax(-1), lambda x: torch.log(torch.softmax(x, -1)), TOKENS),
    case("variance", lambda x: x.var((2, 3), keepdim=True, unbiased=False), _normalized),
    Case("adaptive pooling", lambda: nn.AdaptiveAvgPool2d(3), lambda _: nn.AvgPool2d(4, 4)),
    case(
        "pooling with counted padding",
        lambda x: functional.avg_pool2d(x, 3, 2, 1),
        lambda x: functional.avg_pool2d(functional.pad(x, (1,) * 4), 3, 2),
    ),
    case(
        "pooling with ceil",
        lambda x: functional.avg_pool2d(x, 3, 2, ceil_mode=True),
        lambda x: functional.avg_pool2d(functional.pad(x, (0, 1, 0, 1)), 3, 2),
        same=False,
    ),
    case(
        "pooling stride",
        lambda x: functional.max_pool2d(x, 2, 4),
        lambda x: functional.avg_pool2d(functional.max_pool2d(x, 2, 2), 1, 2),
    ),
    case(
        "pooling indices",
        lambda x: functional.max_pool2d(x, 2, 2, return_indices=True)[1] * 1.0,
        lambda x: functional.max_pool2d(x, 2, 2),
        same=False,
    ),
    Case("nearest upsampling", lambda: nn.Upsample(scale_factor=2), lambda _: friendly.UpsampleNearest2d(2)),
    case("mean without keepdim", lambda x: x.mean((2, 3)), lambda x: x.mean((2, 3), keepdim=True).reshape(1, 8)),
    case(
        "mean of another rank",
        lambda x: x.mean(-1, keepdim=True),
        lambda x: x.reshape(1, 16, 1, 8).mean((2, 3), keepdim=True).reshape(1, 16, 1),
        TOKENS,
    ),
    case(
        "mean of other dimensions",
        lambda x: x.mean(1, keepdim=True),
        lambda x, w: functional.conv2d(x, w),
        w=torch.full((1, 8, 1, 1), 1 / 8),
    ),
    case("sum", lambda x: x.sum(-1, keepdim=True), lambda x, ones: x @ ones, TOKENS, ones=torch.ones(8, 1)),
    case(
        "largest value", lambda x: x.amax((2, 3), keepdim=True), lambda x: functional.max_pool2d(x, (12, 12), (12, 12))
    ),
    case("running sum", lambda x: x.cumsum(-1), lambda x, upper: x @ upper, TOKENS, upper=torch.ones(8, 8).triu()),
    case("ranking", lambda x: x.argmax(-1), lambda x: x + x, same=False),
    case(
        "embedding",
        lambda x, table, ids: functional.embedding(ids, table) + x,
        lambda x, rows: rows + x,
        TOKENS,
        table=torch.eye(8),
        ids=torch.arange(16) % 8,
        rows=torch.eye(8)[torch.arange(16) % 8],
    ),
    case(
        "cache",
        lambda x, at: x.reshape(1, 1, 16, 8).index_copy(2, at, x[:, 0:1].reshape(1, 1, 1, 8)),
        lambda x, mask: friendly.cache_update(x.reshape(1, 1, 16, 8), x[:, 0:1].reshape(1, 1, 1, 8), mask),
        TOKENS,
        at=torch.tensor([3]),
        mask=_AT,
    ),
    case("in-place slice", _written, _by_hand),
    case("select", lambda x: x[:, 0], lambda x: x[:, 0:1].reshape(1, 12, 12)),
    case(
        "index by constants",
        lambda x, at: x[:, at],
        lambda x: torch.cat([x[:, 2:3], x[:, 0:1]], 1),
        at=torch.tensor([2, 0]),
    ),
    case("slice with a step", lambda x: x[:, :, ::2, ::2], lambda x: functional.avg_pool2d(x, 1, 2)),
    case("split", lambda x: (lambda a, b: a + b + b)(*x.chunk(2, 1)), lambda x: x[:, :4] + x[:, 4:] + x[:, 4:]),
    case("squeeze", lambda x: (x + x).squeeze(0), lambda x: (x + x).reshape(8, 12, 12)),
    case("unsqueeze", lambda x: (x + x).unsqueeze(1), lambda x: (x + x).reshape(1, 1, 8, 12, 12)),
    case(
        "repetition",
        lambda x: x[:, :1].expand(1, 8, 12, 12),
        lambda x, ones: x[:, :1] * ones,
        ones=torch.ones(1, 8, 1, 1),
    ),
    case("concatenation with itself", lambda x: torch.cat([x, x], 1), lambda x: torch.cat([x, x * 1.0], 1)),
    case("negative padding", lambda x: functional.pad(x, (-1, -1)), lambda x: x[..., 1:-1]),
    case("integer constant", lambda x: x * 2 + 1, lambda x: x * 2.0 + 1.0),
    case("constant in fp16", lambda x: x * 2.0, lambda x, two: x * two, dtype="fp16", two=torch.tensor(2.0)),
    case(
        "mask conversion",
        lambda x, mask: x * mask.float(),
        lambda x, kept: x * kept,
        mask=_HALF_MASK,
        kept=_HALF_MASK.float(),
    ),
    case("float conversion", lambda x: (x + x).float().tanh().half(), lambda x: (x + x).tanh(), dtype="fp16"),
    case("memory format", lambda x: (x + x).contiguous(memory_format=torch.channels_last) + x, lambda x: (x + x) + x),
    case("comparison", lambda x: torch.where(x > 0, x, x * 0.1), lambda x: functional.leaky_relu(x, 0.1)),
    case(
        "comparison",
        lambda x, mask: x.masked_fill(mask, -9.0),
        lambda x, keep, fill: x * keep + fill,
        mask=_HALF_MASK,
        keep=1 - _HALF_MASK.float(),
        fill=-9.0 * _HALF_MASK.float(),
    ),
    case(
        "constant made anew",
        lambda x: x + torch.full((12, 12), 0.5),
        lambda x, ready: x + ready,
        ready=torch.full((12, 12), 0.5),
    ),
    case("power", lambda x: x**3, lambda x: x * x * x),
    case("reciprocal", lambda x: 1.0 / (x * x + 1.0), lambda x, one: one / (x * x + 1.0), one=torch.ones(1)),
    case("alpha", lambda x: torch.add(x, x, alpha=3), lambda x: x + x * 3.0),
    case(
        "clamp by tensor",
        lambda x, low: torch.clamp(x, min=low),
        lambda x, low: torch.maximum(x, low),
        low=torch.zeros(1, 8, 1, 1),
    ),
    case("rounded division", lambda x: torch.div(x, 0.75, rounding_mode="floor"), lambda x: torch.floor(x / 0.75)),
    case("accurate log and exp", lambda x: torch.expm1(x), lambda x: torch.exp(x) - 1.0),
    case(
        "3-d convolution",
        lambda x, w: functional.conv3d(x.reshape(1, 8, 1, 12, 12), w),
        lambda x, w2: functional.conv2d(x, w2).reshape(1, 4, 1, 10, 10),
        w=torch.full((4, 8, 1, 3, 3), 0.1),
        w2=torch.full((4, 8, 3, 3), 0.1),
    ),
    case(
        "computed weight",
        lambda x, w: functional.conv2d(x, w * 2.0),
        lambda x, w: functional.conv2d(x, w) * 2.0,
        w=torch.full((4, 8, 3, 3), 0.1),
    ),
    case(
        "integer arithmetic",
        lambda x, at: x + (at * 3 + 1).float(),
        lambda x, ready: x + ready,
        at=torch.arange(12),
        ready=torch.arange(12.0) * 3 + 1,
    ),
)
