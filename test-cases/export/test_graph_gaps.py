# SPDX-License-Identifier: Apache-2.0
"""Layers of two graphs of one small network, compared by PyTorch alone: what each costs, and that it adds up."""

from __future__ import annotations

import copy
import math
import sys

import pytest
import torch
from torch import nn

from model_profiling.export import numeric_gaps
from model_profiling.export.graph_pair import Graphs
from model_profiling.export.numeric_gaps import MOST_SAMPLES, measure, spread
from model_profiling.export.recipes import find_recipe


def test_own_contributions_add_up_to_the_outputs_error() -> None:
    """Rounding errors of different layers are independent, so that their powers add up; 2 dB for few samples."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 4)).eval()
    inputs = [torch.randn(16, 8) for _ in range(MOST_SAMPLES)]
    reference = torch.export.export(network, (inputs[0],))
    half = torch.export.export(copy.deepcopy(network).half(), (inputs[0].half(),))
    found = measure(Graphs.of(reference, half), [([x], [x.half()]) for x in inputs], find_recipe("fp16"), 2000)
    layers = [layer for _, layer in found.layers]
    assert {(layer.module, layer.operators) for layer in layers} == {("0", "linear + relu"), ("2", "linear")}
    together = -10 * math.log10(sum(layer.alone.noise for layer in layers))
    assert together == pytest.approx(found.output.sqnr_db, abs=2)
    # fp16 quantizes nothing that could be kept.
    assert all(layer.kept.noise < found.output.noise and layer.keep == () for layer in layers)


@pytest.mark.parametrize("number", [1, 3, MOST_SAMPLES, 5, 100])
def test_samples_are_spread_over_all(number: int) -> None:
    chosen = spread(range(number))
    assert len(chosen) == min(number, MOST_SAMPLES) == len(set(chosen))
    assert chosen[0] == 0 and chosen[-1] == number - 1


def test_large_models_have_fewer_contributions_measured() -> None:
    assert numeric_gaps._affordable(1) == numeric_gaps.MOST_LAYERS
    assert numeric_gaps._affordable(1e12) == numeric_gaps.FEWEST_LAYERS


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
