# SPDX-License-Identifier: Apache-2.0
"""Multiply-adds follow their definition."""

from __future__ import annotations

import sys

import pytest

pytestmark = pytest.mark.exports


# Multiply-adds ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("module", "shape", "expected"),
    [
        ("nn.Linear(8, 4)", (3, 8), 3 * 8 * 4),
        ("nn.Conv2d(4, 8, 3, padding=1, groups=2)", (1, 4, 5, 6), 8 * 30 * 2 * 9),
        ("nn.Conv1d(2, 3, 5)", (2, 2, 9), 2 * 3 * 5 * 2 * 5),
        ("nn.ConvTranspose2d(4, 6, 2, stride=2)", (1, 4, 3, 3), 9 * 4 * 6 * 4),
        ("nn.LSTM(4, 5)", (7, 1, 4), 7 * (4 * 5 * 4 + 4 * 5 * 5)),
        ("nn.Sequential(nn.ReLU(), nn.Softmax(-1))", (2, 2), 0),
    ],
)
def test_multiply_adds_follow_their_definition(module, shape, expected):
    import torch
    from torch import nn

    from model_profiling.export import lowering, multiply_adds

    built = eval(module, {"nn": nn}).eval()
    assert multiply_adds.count(lowering.capture(built, (torch.rand(shape),), {}, None)) == expected


def test_attention_counts_both_products():
    import torch

    from model_profiling.export import lowering, multiply_adds

    class Attention(torch.nn.Module):
        def forward(self, q, k, v):
            return torch.nn.functional.scaled_dot_product_attention(q, k, v)

    given = (torch.rand(2, 3, 5, 8), torch.rand(2, 3, 7, 8), torch.rand(2, 3, 7, 8))
    assert multiply_adds.count(lowering.capture(Attention(), given, {}, None)) == 2 * (2 * 3 * 5 * 7 * 8)


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
