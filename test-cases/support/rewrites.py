# SPDX-License-Identifier: Apache-2.0
"""For each rewrite, small models that it fits, drawn over shapes: what its property test is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from model_profiling.export.replacements import Wrapped

SMALL = st.integers(1, 5)
WIDTH = st.integers(16, 40)
LEAD = st.lists(SMALL, min_size=1, max_size=3)


@dataclass(frozen=True)
class Fitting:
    """A module and its inputs' shapes; `gone` is the ATen operator that is in its graph before and not after."""

    module: nn.Module
    shapes: tuple[tuple[int, ...], ...]
    gone: str


def _with_random_weights(module: nn.Module) -> nn.Module:
    for parameter in module.parameters():
        nn.init.normal_(parameter)
    return module


def _function(gone: str, function: Callable[..., torch.Tensor], *shapes: tuple[int, ...], **state) -> Fitting:
    return Fitting(Wrapped(function, **state), shapes, gone)


def layer_norm(draw) -> Fitting:
    shape, affine = (*draw(LEAD), draw(WIDTH)), draw(st.booleans())
    over = shape[-draw(st.integers(1, 2)) :]
    return Fitting(_with_random_weights(nn.LayerNorm(over, elementwise_affine=affine)), (shape,), "layer_norm")


def rms_norm(draw) -> Fitting:
    shape = (*draw(LEAD), draw(WIDTH))
    norm = nn.RMSNorm(shape[-1], eps=1e-6, elementwise_affine=draw(st.booleans()))
    return Fitting(_with_random_weights(norm), (shape,), "rms_norm")


def group_norm(draw) -> Fitting:
    groups, each, n = draw(SMALL), draw(SMALL), draw(st.integers(1, 2))
    sizes = (draw(st.integers(4, 7)), draw(st.integers(4, 7)))
    norm = draw(st.sampled_from([nn.GroupNorm(groups, groups * each), nn.InstanceNorm2d(groups * each, affine=True)]))
    gone = "group_norm" if isinstance(norm, nn.GroupNorm) else "instance_norm"
    return Fitting(_with_random_weights(norm), ((n, groups * each, *sizes),), gone)


def attention(draw) -> Fitting:
    n, heads, tokens, size = draw(st.integers(1, 2)), draw(st.integers(1, 3)), draw(st.integers(1, 9)), 16
    kind = draw(st.sampled_from(["plain", "causal", "float", "bool", "scaled", "grouped", "cross"]))
    q, k = (n, heads, tokens, size), (n, heads, tokens + 3 if kind == "cross" else tokens, size)
    attend = functional.scaled_dot_product_attention
    if kind == "grouped":
        q = (n, 2 * heads, tokens, size)
        return _function("scaled_dot_product_attention", lambda *qkv: attend(*qkv, enable_gqa=True), q, k, k)
    if kind == "float":
        mask = torch.randn(n, 1, tokens, tokens)
        return _function(
            "scaled_dot_product_attention", lambda *qkv, mask: attend(*qkv, attn_mask=mask), q, k, k, mask=mask
        )
    if kind == "bool":
        keep = torch.rand(tokens, tokens) < 0.5
        keep.fill_diagonal_(True)
        return _function(
            "scaled_dot_product_attention", lambda *qkv, keep: attend(*qkv, attn_mask=keep), q, k, k, keep=keep
        )
    options = {"causal": {"is_causal": True}, "scaled": {"scale": 0.25}}.get(kind, {})
    return _function("scaled_dot_product_attention", lambda *qkv: attend(*qkv, **options), q, k, k)


def where(draw) -> Fitting:
    shape = (draw(SMALL), draw(SMALL))
    keep = torch.rand(shape) < 0.5
    fill = draw(st.sampled_from([0.0, -3.0, 2.5]))
    forms = {
        "where": lambda x, keep: torch.where(keep, x, fill),
        "where ": lambda x, keep: torch.where(keep, fill, x),
        "masked_fill": lambda x, keep: x.masked_fill(keep, fill),
        " where": lambda x, keep: torch.where(keep, x, x * x),
    }
    gone = draw(st.sampled_from(list(forms)))
    return _function(gone.strip(), forms[gone], shape, keep=keep)


def activation(gone: str, module: type[nn.Module]) -> Callable[..., Fitting]:
    return lambda draw: Fitting(module(), (tuple(draw(st.lists(SMALL, min_size=1, max_size=4))),), gone)


def softmax(draw) -> Fitting:
    shape = tuple(draw(st.lists(SMALL, min_size=2, max_size=4)))
    dim = draw(st.integers(-len(shape), -2))
    return Fitting(nn.Softmax(dim), (shape,), "")


def mean(draw) -> Fitting:
    shape = tuple(draw(st.lists(SMALL, min_size=1, max_size=5)))
    dims = draw(st.lists(st.integers(0, len(shape) - 1), min_size=1, unique=True))
    return _function("", lambda x: x.mean(dims, keepdim=False), shape)


def nearest(draw) -> Fitting:
    shape = (draw(st.integers(1, 2)), *(draw(SMALL) for _ in range(3)))
    return Fitting(nn.Upsample(scale_factor=draw(st.integers(2, 4))), (shape,), "upsample_nearest2d")


def large_depthwise(draw) -> Fitting:
    channels = draw(SMALL) + 1
    kernel = draw(st.sampled_from([(7, 7), (9, 5), (5, 7), (3, 11), (27, 1), (6, 6), (11, 11)]))
    padding = tuple(size // 2 for size in kernel)
    conv = nn.Conv2d(
        channels, channels, kernel, draw(st.integers(1, 2)), padding, groups=channels, bias=draw(st.booleans())
    )
    sizes = (draw(st.integers(1, 12)) + kernel[0], draw(st.integers(1, 12)) + kernel[1])
    return Fitting(conv, ((draw(st.integers(1, 2)), channels, *sizes),), "")


def views(draw) -> Fitting:
    a, b, c = (draw(st.integers(2, 5)) for _ in range(3))
    forms: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
        "split": lambda x: x.split([1, b - 1], 1)[1] + 1.0,
        "unbind": lambda x: torch.stack(x.unbind(1)[::-1], 0),
        "select": lambda x: x[:, b - 1],
        "squeeze": lambda x: x[:, :1].squeeze(1),
        "unsqueeze": lambda x: x.unsqueeze(1) * x.unsqueeze(0),
        "expand": lambda x: x[:, :1].expand(a, b, c) + 1.0,
        "repeat": lambda x: x[:, :1].repeat(1, b, 1),
    }
    gone = draw(st.sampled_from(list(forms)))
    names = {"split": "split_with_sizes", "unbind": ""}
    return _function(names.get(gone, gone), forms[gone], (a, b, c))


def scalars(draw) -> Fitting:
    number = draw(st.sampled_from([2, 0.125, -3, 1.5]))
    forms: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
        "add": lambda x: x + number,
        "mul": lambda x: number * x,
        "rsub": lambda x: number - x,
        "div": lambda x: x / number,
        "power": lambda x: x**3,
        "root": lambda x: x.abs() ** 0.5,
    }
    return _function("", forms[draw(st.sampled_from(list(forms)))], tuple(draw(LEAD)))


def constants(draw) -> Fitting:
    tokens, width = draw(SMALL), draw(SMALL)
    table = torch.randn(tokens + 2, width)
    return _function(
        "embedding",
        lambda x, table: x + functional.embedding(torch.arange(tokens), table),
        (tokens, width),
        table=table,
    )


def indices(draw) -> Fitting:
    n, tokens = draw(SMALL), draw(SMALL)
    return _function(
        "index",
        lambda x, rows, columns: x[rows, columns] + 1.0,
        (n, tokens),
        rows=torch.arange(n)[:, None, None],
        columns=torch.arange(tokens),
    )


def copies(draw) -> Fitting:
    shape = tuple(draw(st.lists(SMALL, min_size=4, max_size=4)))
    return _function("clone", lambda x: (x + x).clone(memory_format=torch.channels_last) * x, shape)


class _Parallel(nn.Module):
    """What adds up beside a convolution of `kernel`: one of a tap, the input, or both; each may have batch norm."""

    def __init__(self, channels: int, groups: int, kernel: int, stride: int, dilation: int, beside: str) -> None:
        super().__init__()
        common = {"stride": stride, "groups": groups}
        wide = nn.Conv2d(
            channels, channels, kernel, padding=kernel // 2 * dilation, dilation=dilation, bias=False, **common
        )
        self.wide = nn.Sequential(wide, nn.BatchNorm2d(channels))
        self.narrow = nn.Conv2d(channels, channels, 1, **common)
        self.beside = beside

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.wide(x)
        if self.beside != "input":
            y = y + self.narrow(x)
        return y if self.beside == "narrow" else x + y


def parallel_convolutions(draw) -> Fitting:
    groups, each = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    beside = draw(st.sampled_from(["narrow", "input", "both"]))
    stride = draw(st.integers(1, 2)) if beside == "narrow" else 1
    kernel, dilation = draw(st.sampled_from([1, 3, 5])), draw(st.integers(1, 2))
    module = _Parallel(groups * each, groups, kernel, stride, dilation, beside)
    nn.init.uniform_(module.wide[1].running_var, 0.5, 2.0)
    nn.init.normal_(module.wide[1].running_mean)
    return Fitting(module, ((draw(st.integers(1, 2)), groups * each, 6, draw(st.integers(6, 9))),), "add")


FITTING: dict[str, Callable[..., Fitting]] = {
    "constants": constants,
    "indices": indices,
    "copies": copies,
    "parallel-convolutions": parallel_convolutions,
    "attention": attention,
    "where": where,
    "layer-norm": layer_norm,
    "rms-norm": rms_norm,
    "group-norm": group_norm,
    "gelu": activation("gelu", nn.GELU),
    "silu": activation("silu", nn.SiLU),
    "hard-sigmoid": activation("hardsigmoid", nn.Hardsigmoid),
    "softmax": softmax,
    "mean": mean,
    "large-depthwise": large_depthwise,
    "upsample-nearest": nearest,
    "views": views,
    "scalars": scalars,
}
