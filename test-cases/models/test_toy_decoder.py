# SPDX-License-Identifier: Apache-2.0
"""`toy_decoder`: a cache that holds what was fed, and the same answer token by token as for the whole prompt."""

from __future__ import annotations

import sys

import pytest
import torch

from model_profiling.models import loading
from model_profiling.models.toy_decoder import model as decoder

PARAMETERS = 15_076_864


@pytest.fixture(scope="module")
def methods() -> dict[str, loading.LoadedModel]:
    return {one.method: one for one in loading.load_methods("toy_decoder", None)}


def test_its_two_methods_have_the_same_weights(methods: dict[str, loading.LoadedModel]) -> None:
    prefill, decode = methods["prefill"], methods["decode"]
    assert {one.parameters for one in methods.values()} == {PARAMETERS}
    assert [tuple(x.shape) for x in prefill.example_inputs] == [(1, 128), (128,)]
    assert [tuple(x.shape) for x in decode.example_inputs] == [(1, 1), (1,)]
    for (name, first), (_, second) in zip(
        prefill.module.named_parameters(), decode.module.named_parameters(), strict=True
    ):
        assert torch.equal(first, second), name
    assert (prefill.tokens, decode.tokens) == ("rows", 1)
    assert prefill.input_ranges == ((0, 8191), (0, 255))


def test_token_by_token_is_as_the_whole_prompt() -> None:
    ids, positions = decoder._prompt(3)
    whole = loading.load("toy_decoder", None, method="prefill").module
    step = loading.load("toy_decoder", None, method="decode").module
    with torch.no_grad():
        expected = whole(ids[:, :9], positions[:9])
        for at in range(9):
            got = step(ids[:, at : at + 1], positions[at : at + 1])
    assert torch.allclose(expected, got, rtol=1e-4, atol=1e-4)


def test_what_comes_later_is_not_seen() -> None:
    ids, positions = decoder._prompt(3)
    module = loading.load("toy_decoder", None, method="prefill").module
    with torch.no_grad():
        before = module(ids[:, :5], positions[:5])
        module(ids[:, 5:9], positions[5:9])  # fills the cache behind them
        assert torch.allclose(before, module(ids[:, :5], positions[:5]), rtol=1e-4, atol=1e-4)


def test_its_positions_are_rotary() -> None:
    """Scores depend on how far apart two positions are, and on nothing else of them."""
    cosines, sines = decoder.rotary_tables()
    generator = torch.Generator().manual_seed(1)
    query, key = (torch.randn(1, 1, 1, decoder.HEAD_SIZE, generator=generator) for _ in range(2))

    def score(at: int, of: int) -> float:
        turned = [
            decoder.rotated(x, decoder.Turns(cosines[n : n + 1], sines[n : n + 1], decoder.quarter_turn()))
            for x, n in ((query, at), (key, of))
        ]
        return float((turned[0] * turned[1]).sum())

    assert score(9, 4) == pytest.approx(score(105, 100), rel=1e-3) != pytest.approx(score(9, 5), rel=1e-3)


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
