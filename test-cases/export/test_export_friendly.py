# SPDX-License-Identifier: Apache-2.0
"""Each export-friendly replacement computes what it replaces, over shapes and types, and keeps a graph whole."""

from __future__ import annotations

import math
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.kit import kit
from torch import nn
from torch.nn import functional

from model_profiling.export import replacements
from model_profiling.export.replacements import REPLACEMENTS, Replacement, Together, between_layers, lowered
from model_profiling.models import export_friendly as friendly

SMALL = st.integers(1, 6)
SEEDS = st.integers(0, 2**31)
TYPES = {"fp32": torch.float32, "fp16": torch.float16}
IDS = [f"{entry.name} for {entry.replaces}" for entry in REPLACEMENTS]


def drawn(shape: tuple[int, ...], seed: int, largest: float = 8.0) -> torch.Tensor:
    """Return values from -largest to largest."""
    return (torch.rand(shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1) * largest


def worst(expected: torch.Tensor, got: torch.Tensor) -> float:
    """Return the largest difference over the largest magnitude where that is over 1."""
    assert expected.shape == got.shape
    difference = (expected.float() - got.float()).abs().max().item()
    return difference / max(1.0, expected.float().abs().max().item())


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("entry", REPLACEMENTS, ids=IDS)
@settings(max_examples=6, deadline=None)
@given(seed=SEEDS)
def test_values_are_within_the_stated_bound(entry: Replacement, dtype: str, seed: int) -> None:
    """The original in float32 is the truth for both types: fp16 originals round too."""
    original = entry.original().eval()
    given_values = drawn(entry.shape, seed).to(TYPES[dtype])
    with torch.no_grad():
        expected = original(given_values.float())
        got = entry.replacement(original).to(TYPES[dtype])(given_values)
    assert got.dtype == TYPES[dtype]
    assert worst(expected, got) <= entry.bound[dtype == "fp16"]


ACTIVATIONS = {
    nn.Hardsigmoid: friendly.HardSigmoid,
    nn.SiLU: friendly.SiLU,
    nn.ELU: friendly.ELU,
    nn.Softplus: friendly.Softplus,
    nn.Mish: friendly.Mish,
}


@pytest.mark.parametrize("original", ACTIVATIONS)
@settings(max_examples=40, deadline=None)
@given(shape=st.lists(SMALL, min_size=0, max_size=5), seed=SEEDS, largest=st.sampled_from([1e-3, 1.0, 20.0, 80.0]))
def test_activations_of_any_shape_and_range(original: type, shape: list[int], seed: int, largest: float) -> None:
    x = drawn(tuple(shape), seed, largest)
    assert worst(original()(x), ACTIVATIONS[original]()(x)) < 2e-6


@settings(max_examples=60, deadline=None)
@given(st.floats(-60, 60))
def test_gelu_is_within_the_published_distance(value: float) -> None:
    exact = 0.5 * value * (1 + math.erf(value / math.sqrt(2)))
    x = torch.tensor([value])
    assert abs(friendly.TanhGELU()(x).item() - exact) < 5e-4
    assert friendly.TanhGELU()(x).item() == pytest.approx(
        functional.gelu(x, approximate="tanh").item(), abs=2e-6, rel=1e-5
    )


@settings(max_examples=40, deadline=None)
@given(
    lead=st.lists(SMALL, min_size=1, max_size=3),
    width=st.integers(2, 40),
    seed=SEEDS,
    affine=st.booleans(),
    bias=st.booleans(),
)
def test_layer_and_rms_norm(lead: list[int], width: int, seed: int, affine: bool, bias: bool) -> None:
    x = drawn((*lead, width), seed)
    layer, rms = (
        nn.LayerNorm(width, elementwise_affine=affine, bias=bias),
        nn.RMSNorm(width, eps=1e-6, elementwise_affine=affine),
    )
    for parameter in (*layer.parameters(), *rms.parameters()):
        nn.init.normal_(parameter)
    with torch.no_grad():
        assert worst(layer(x), friendly.LayerNorm(layer)(x)) < 1e-4
        assert worst(rms(x), friendly.RMSNorm(rms)(x)) < 1e-5


@settings(max_examples=40, deadline=None)
@given(
    n=st.integers(1, 3),
    groups=SMALL,
    size=SMALL,
    h=st.integers(2, 7),
    w=st.integers(2, 7),
    seed=SEEDS,
    affine=st.booleans(),
)
def test_group_norm(n: int, groups: int, size: int, h: int, w: int, seed: int, affine: bool) -> None:
    x = drawn((n, groups * size, h, w), seed)
    original = nn.GroupNorm(groups, groups * size, affine=affine)
    for parameter in original.parameters():
        nn.init.normal_(parameter)
    with torch.no_grad():
        assert worst(original(x), friendly.GroupNorm(original)(x)) < 1e-4


def test_layer_norm_over_several_dimensions_is_refused() -> None:
    with pytest.raises(ValueError, match="one dimension"):
        friendly.LayerNorm(nn.LayerNorm((3, 4)))


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(1, 3),
    c=SMALL,
    h=SMALL,
    w=SMALL,
    factor=st.integers(1, 4),
    seed=SEEDS,
    dtype=st.sampled_from(list(TYPES)),
)
def test_upsampling_is_exact(n: int, c: int, h: int, w: int, factor: int, seed: int, dtype: str) -> None:
    x = drawn((n, c, h, w), seed).to(TYPES[dtype])
    assert torch.equal(friendly.UpsampleNearest2d(factor).to(TYPES[dtype])(x), nn.Upsample(scale_factor=factor)(x))


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(1, 3),
    c=SMALL,
    length=st.integers(3, 30),
    kernel=st.integers(1, 3),
    stride=st.integers(1, 3),
    seed=SEEDS,
)
def test_pooling_is_exact(n: int, c: int, length: int, kernel: int, stride: int, seed: int) -> None:
    x = drawn((n, c, length), seed)
    assert torch.equal(friendly.MaxPool1d(kernel, stride)(x), nn.MaxPool1d(kernel, stride)(x))


@settings(max_examples=60, deadline=None)
@given(n=st.integers(1, 3), c=SMALL, h=st.integers(2, 9), w=st.integers(2, 9), data=st.data(), seed=SEEDS)
def test_reflection_is_exact(n: int, c: int, h: int, w: int, data: st.DataObject, seed: int) -> None:
    size = data.draw(st.integers(1, min(h, w) - 1))
    x = drawn((n, c, h, w), seed)
    assert torch.equal(friendly.reflect_pad2d(x, size), functional.pad(x, (size,) * 4, mode="reflect"))


@settings(max_examples=40, deadline=None)
@given(n=st.integers(1, 3), c=SMALL, h=SMALL, w=SMALL, seed=SEEDS, width=st.integers(1, 20))
def test_softmax_and_unit_vectors(n: int, c: int, h: int, w: int, seed: int, width: int) -> None:
    x = drawn((n, c, h, w), seed)
    assert worst(x.softmax(1), friendly.softmax_channels(x)) < 1e-6
    v = drawn((n, c, width), seed) + 0.01
    assert worst(functional.normalize(v, dim=-1), friendly.L2Normalize(width)(v)) < 1e-5


@settings(max_examples=40, deadline=None)
@given(
    n=st.integers(1, 2),
    heads=SMALL,
    tokens=st.integers(1, 12),
    size=st.integers(1, 16),
    causal=st.booleans(),
    seed=SEEDS,
)
def test_attention(n: int, heads: int, tokens: int, size: int, causal: bool, seed: int) -> None:
    q, k, v = (drawn((n, heads, tokens, size), seed + step, 2.0) for step in range(3))
    expected = functional.scaled_dot_product_attention(q, k, v, is_causal=causal)
    got = friendly.Attention(size)(q, k, v, friendly.causal_mask(tokens) if causal else None)
    assert worst(expected, got) < 1e-5


@settings(max_examples=60, deadline=None)
@given(
    heads=SMALL, tokens=st.integers(1, 20), size=SMALL, seed=SEEDS, data=st.data(), dtype=st.sampled_from(list(TYPES))
)
def test_cache_update_is_exact(heads: int, tokens: int, size: int, seed: int, data: st.DataObject, dtype: str) -> None:
    at = data.draw(st.integers(0, tokens - 1))
    cache, new = (
        drawn((1, heads, tokens, size), seed).to(TYPES[dtype]),
        drawn((1, heads, 1, size), seed + 1).to(TYPES[dtype]),
    )
    position = functional.one_hot(torch.tensor(at), tokens).to(TYPES[dtype]).reshape(1, 1, tokens, 1)
    assert torch.equal(friendly.cache_update(cache, new, position), cache.index_copy(2, torch.tensor([at]), new))


@pytest.fixture(scope="module")
def divided() -> list[tuple[int, int]]:
    """Operators outside XNNPACK of each replacement in fp16, before and after: all of them in two exports."""
    names = [f"entry_{chr(97 + index)}" for index in range(len(REPLACEMENTS))]  # told apart by letters, not digits
    originals = [entry.original() for entry in REPLACEMENTS]
    replaced = [entry.replacement(original) for entry, original in zip(REPLACEMENTS, originals, strict=True)]
    counts = []
    for modules in (originals, replaced):
        wrapped = [between_layers(module, entry.shape) for module, entry in zip(modules, REPLACEMENTS, strict=True)]
        division, _ = lowered(
            Together(dict(zip(names, wrapped, strict=True))),
            tuple(torch.rand(entry.shape) for entry in REPLACEMENTS),
            "fp16",
        )
        counts.append(
            [
                sum(entry.count for entry in division.not_delegated if f".{name}." in f".{entry.module}.")
                for name in names
            ]
        )
    return list(zip(*counts, strict=True))


#: Of these XNNPACK takes both forms, but has faster kernels for the second.
SAVES_TIME = ("LargeDepthwise2d",)


@pytest.mark.slow
@pytest.mark.parametrize("index", range(len(REPLACEMENTS)), ids=IDS)
def test_each_saves_what_it_is_for(divided, index: int) -> None:
    """In fp16, for which all of them are; `test_hints.py` has most of them in fp32 too."""
    before, after = divided[index]
    outside_before = REPLACEMENTS[index].name not in SAVES_TIME
    assert "fp16" in REPLACEMENTS[index].dtypes and after == 0 and bool(before) == outside_before


@pytest.mark.slow
def test_one_command_measures_them() -> None:
    said = kit("tools/measure_replacements.py", "--only", "HardSigmoid", "--dtype", "fp16").ok().stdout.splitlines()
    row = said[-1].split()
    assert row[:3] == ["HardSigmoid", "nn.Hardsigmoid", "fp16"] and row[3:9] == ["3", "->", "1", "4", "->", "0"]
    assert float(row[9]) > 0 and float(row[10]) > 0
    assert "did you mean HardSigmoid?" in kit("tools/measure_replacements.py", "--only", "HardSigmod").error_line()


def test_numbers_are_not_part_of_a_checkpoint() -> None:
    assert list(friendly.HardSigmoid().state_dict()) == []
    assert list(friendly.LayerNorm(nn.LayerNorm(4)).state_dict()) == list(nn.LayerNorm(4).state_dict())


def test_every_public_name_is_measured() -> None:
    public = {
        name
        for name, value in vars(friendly).items()
        if not name.startswith("_") and getattr(value, "__module__", "") == friendly.__name__
    }
    assert public == {part for entry in REPLACEMENTS for part in entry.name.split(", ")}
    assert len(replacements.REPLACEMENTS) == len(IDS)


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
