# SPDX-License-Identifier: Apache-2.0
"""What each export-friendly replacement saves: operators outside XNNPACK, delegates, and time.

The original and its replacement are each put between two layers of the same weights, exported and
run. Between layers, because an operator outside XNNPACK costs most where it splits a graph.
"""

from __future__ import annotations

import copy
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import nn
from torch.nn import functional

from model_profiling.export import casting, delegation, lowering
from model_profiling.export.recipes import find_recipe, floating_recipes
from model_profiling.models import export_friendly as friendly
from model_profiling.models.contract import FORWARD, DynamicShapes

WARMUP, EXECUTIONS = 5, 60
_IMAGE, _TOKENS = (1, 32, 28, 28), (1, 64, 64)


class Wrapped(nn.Module):
    """A function of one tensor as a module; `state` becomes buffers."""

    def __init__(self, function: Callable[..., torch.Tensor], **state: torch.Tensor) -> None:
        super().__init__()
        self.function = function
        for name, value in state.items():
            self.register_buffer(name, value, persistent=False)

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        return self.function(*inputs, **dict(self.named_buffers()))


class Together(nn.Module):
    """Several modules as one, each with its own input and output: one export for all of them."""

    def __init__(self, modules: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.parts = nn.ModuleDict(modules)

    def forward(self, *inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return tuple(module(given) for module, given in zip(self.parts.values(), inputs, strict=True))


@dataclass(frozen=True)
class Replacement:
    """One entry of the library.

    `original` and `replacement` make modules of one tensor of `shape`; the second gets the first,
    for its weights. `bound` is the largest absolute difference on inputs within -8 to 8, in fp32
    and in fp16, relative to the largest output where that exceeds 1. `dtypes` are those in which
    it leaves fewer operators outside, or runs in faster kernels, and was not slower where it was first
    measured (x86-64).
    """

    name: str
    replaces: str
    original: Callable[[], nn.Module]
    replacement: Callable[[Any], nn.Module]  # of what `original` makes
    shape: tuple[int, ...]
    bound: tuple[float, float]
    dtypes: tuple[str, ...] = floating_recipes()


@dataclass(frozen=True)
class Side:
    """How one of the two is divided, the size of its `.pte` in bytes, and its median latency in ms."""

    delegates: int
    portable: int
    bytes: int
    median_ms: float


class _SelfAttention(nn.Module):
    """The same tensor as query, key and value of four heads."""

    def __init__(self, attention: Callable[..., torch.Tensor], mask: torch.Tensor | None = None) -> None:
        super().__init__()
        self.attention = attention
        self.register_buffer("mask", mask, persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        n, tokens, width = x.shape
        heads = x.reshape(n, tokens, 4, width // 4).transpose(1, 2)
        mask = (
            {}
            if self.mask is None
            else {"attn_mask" if self.attention is functional.scaled_dot_product_attention else "mask": self.mask}
        )
        return self.attention(heads, heads, heads, **mask).transpose(1, 2).reshape(n, tokens, width)


class _Cached(nn.Module):
    """The first token of `x` written into a cache at one position."""

    def __init__(self, update: Callable[..., torch.Tensor], position: torch.Tensor) -> None:
        super().__init__()
        self.update = update
        self.register_buffer("position", position, persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        n, tokens, width = x.shape
        cache = x.reshape(n, 1, tokens, width)
        return self.update(cache, cache[:, :, 0:1], self.position).reshape(n, tokens, width)


def _at(position: int, tokens: int) -> torch.Tensor:
    return functional.one_hot(torch.tensor(position), tokens).float().reshape(1, 1, tokens, 1)


_EXACT = (0.0, 0.0)
_ROUNDED = (1e-6, 2e-3)
_SUMMED = (1e-5, 1e-2)
# Scores of values within -8 to 8 reach 256, where two neighbours in fp16 differ by 0.125, and a softmax multiplies
# that: 0.018 was the largest difference of 12,000 draws, 0.01 that of one in a hundred.
_ATTENDED = (1e-5, 5e-2)

REPLACEMENTS = (
    Replacement("HardSigmoid", "nn.Hardsigmoid", nn.Hardsigmoid, lambda _: friendly.HardSigmoid(), _IMAGE, _ROUNDED),
    Replacement("SiLU", "nn.SiLU", nn.SiLU, lambda _: friendly.SiLU(), _IMAGE, _ROUNDED, ("fp16",)),
    Replacement("TanhGELU", "nn.GELU", nn.GELU, lambda _: friendly.TanhGELU(), _IMAGE, (5e-4, 5e-3), ("fp16",)),
    Replacement("ELU", "nn.ELU", nn.ELU, lambda _: friendly.ELU(), _IMAGE, _ROUNDED),
    Replacement("Softplus", "nn.Softplus", nn.Softplus, lambda _: friendly.Softplus(), _IMAGE, _ROUNDED),
    Replacement("Mish", "nn.Mish", nn.Mish, lambda _: friendly.Mish(), _IMAGE, (2e-6, 1e-2)),
    Replacement("LayerNorm", "nn.LayerNorm", lambda: nn.LayerNorm(64), friendly.LayerNorm, _TOKENS, _SUMMED),
    Replacement(
        "GroupNorm", "nn.GroupNorm", lambda: nn.GroupNorm(4, 32), friendly.GroupNorm, _IMAGE, _SUMMED, ("fp16",)
    ),
    Replacement(
        "GroupNorm",
        "nn.InstanceNorm2d",
        lambda: nn.InstanceNorm2d(32),
        lambda _: friendly.GroupNorm(nn.GroupNorm(32, 32, affine=False)),
        _IMAGE,
        _SUMMED,
    ),
    Replacement("RMSNorm", "nn.RMSNorm", lambda: nn.RMSNorm(64, eps=1e-6), friendly.RMSNorm, _TOKENS, _SUMMED),
    Replacement(
        "L2Normalize",
        "functional.normalize",
        lambda: Wrapped(lambda x: functional.normalize(x, dim=-1)),
        lambda _: friendly.L2Normalize(64),
        _TOKENS,
        _SUMMED,
    ),
    Replacement(
        "UpsampleNearest2d",
        "nn.Upsample(2, nearest)",
        lambda: nn.Upsample(scale_factor=2),
        lambda _: friendly.UpsampleNearest2d(2),
        _IMAGE,
        _EXACT,
    ),
    Replacement(
        "LargeDepthwise2d",
        "nn.Conv2d, depthwise, 7x7",
        lambda: nn.Conv2d(32, 32, 7, padding=3, groups=32),
        friendly.LargeDepthwise2d,
        _IMAGE,
        _SUMMED,
    ),
    Replacement(
        "MaxPool1d", "nn.MaxPool1d", lambda: nn.MaxPool1d(2, 2), lambda _: friendly.MaxPool1d(2, 2), _TOKENS, _EXACT
    ),
    Replacement(
        "reflect_pad2d",
        "pad(mode='reflect')",
        lambda: Wrapped(lambda x: functional.pad(x, (1,) * 4, mode="reflect")),
        lambda _: Wrapped(lambda x: friendly.reflect_pad2d(x, 1)),
        _IMAGE,
        _EXACT,
    ),
    Replacement(
        "softmax_channels",
        "softmax(1)",
        lambda: nn.Softmax(1),
        lambda _: Wrapped(friendly.softmax_channels),
        _IMAGE,
        _ROUNDED,
    ),
    Replacement(
        "Attention",
        "scaled_dot_product_attention",
        lambda: _SelfAttention(functional.scaled_dot_product_attention),
        lambda _: _SelfAttention(friendly.Attention(16)),
        _TOKENS,
        _ATTENDED,
    ),
    Replacement(
        "Attention, causal_mask",
        "the same, causal",
        lambda: _SelfAttention(functional.scaled_dot_product_attention, friendly.causal_mask(64)),
        lambda _: _SelfAttention(friendly.Attention(16), friendly.causal_mask(64)),
        _TOKENS,
        _ATTENDED,
    ),
    Replacement(
        "cache_update",
        "index_copy",
        lambda: _Cached(lambda c, new, at: c.index_copy(2, at, new), torch.tensor([5])),
        lambda _: _Cached(friendly.cache_update, _at(5, 64)),
        _TOKENS,
        _EXACT,
    ),
)


def between_layers(inner: nn.Module, shape: Sequence[int]) -> nn.Module:
    """Return `inner` after and before a layer with weights of a fixed seed, as it stands in a model."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        if len(shape) == 4:
            layers: tuple[nn.Module, nn.Module] = (nn.Conv2d(shape[1], shape[1], 1), nn.Conv2d(shape[1], shape[1], 1))
        else:
            width = inner(torch.ones(*shape)).shape[-1]
            layers = (nn.Linear(shape[-1], shape[-1]), nn.Linear(width, shape[-1]))
    return nn.Sequential(layers[0], inner, layers[1]).eval()


def lowered(
    module: nn.Module, inputs: tuple[torch.Tensor, ...], dtype: str, dynamic_shapes: DynamicShapes = None
) -> tuple[delegation.Delegation, bytes]:
    """Return how `module` (a copy of it is cast to `dtype`) is divided, and its `.pte`; nothing is run."""
    module = casting.cast_module(copy.deepcopy(module).eval(), dtype)
    program = lowering.capture(module, casting.cast_inputs(inputs, dtype), {}, dynamic_shapes)
    with delegation.recording_reasons() as recorder:
        edge = lowering.lower({FORWARD: program}, "xnnpack", find_recipe(dtype), recorder.begin)
        graph_module = edge.exported_program().graph_module
        described = delegation.describe_edge(graph_module, recorder.reasons(FORWARD), "xnnpack")
        final = lowering.serialize(edge)
    return delegation.read_program(final.exported_program().graph_module, described), final.buffer


def measure(entry: Replacement, dtype: str) -> tuple[Side, Side]:
    """Export the original and the replacement of `entry`, run both in turn, and return both sides.

    One thread and one process: a hint of what to try, not a comparison with an interval.
    """
    from executorch.extension.pybindings import portable_lib

    if portable_lib._threadpool_get_thread_count() != 1:
        portable_lib._unsafe_reset_threadpool(1)  # not while programs are loaded that use the old one
    original = entry.original()
    inputs = casting.cast_inputs((torch.rand(entry.shape) * 4 - 2,), dtype)
    divided, programs = [], []
    for inner in (original, entry.replacement(original)):
        division, pte = lowered(between_layers(inner, entry.shape), inputs, dtype)
        divided.append((division, pte))
        programs.append(portable_lib._load_for_executorch_from_buffer(pte))
    medians = _medians(programs, inputs)
    before, after = (
        Side(division.delegates, division.portable_operators, len(pte), median)
        for (division, pte), median in zip(divided, medians, strict=True)
    )
    return before, after


class _Loaded(Protocol):
    def forward(self, inputs: tuple[torch.Tensor, ...]) -> object: ...


def _medians(programs: Sequence[_Loaded], inputs: tuple[torch.Tensor, ...]) -> list[float]:
    """Return the median latency of each of `programs` in ms; they take turns, so drift is shared."""
    times: list[list[float]] = [[] for _ in programs]
    for execution in range(WARMUP + EXECUTIONS):
        for program, taken in zip(programs, times, strict=True):
            started = time.perf_counter()
            program.forward(inputs)
            if execution >= WARMUP:
                taken.append((time.perf_counter() - started) * 1e3)
    return [statistics.median(taken) for taken in times]
