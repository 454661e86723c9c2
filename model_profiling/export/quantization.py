# SPDX-License-Identifier: Apache-2.0
"""Post-training quantization (PT2E): a captured graph, calibrated and converted by a recipe's quantizer."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torchao.quantization.pt2e.quantizer import Quantizer


def quantize(
    program: torch.export.ExportedProgram,
    samples: Sequence[tuple[object, ...]],
    kwargs: Mapping[str, object],
    quantizer: Quantizer,
) -> torch.nn.Module:
    """Return `program` as a module with quantize and dequantize operators at calibrated scales.

    Parameters
    ----------
    program : the captured float32 graph.
    samples : input tuples to calibrate on; every one is run, since the range of one random sample
        says little about the next.
    kwargs : inputs passed by name with each sample.
    """
    import torch
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

    module = program.module()
    initial = {name: value.detach().clone() for name, value in module.named_buffers()}
    prepared = prepare_pt2e(module, quantizer)
    with torch.no_grad():
        for sample in samples:  # copies: a model may write into its inputs
            prepared(*copy.deepcopy(sample), **copy.deepcopy(kwargs))
        # A cache that the model updates must not be exported as calibration left it.
        for name, value in prepared.named_buffers():
            if name in initial:
                value.copy_(initial[name])
    converted: torch.nn.Module = convert_pt2e(prepared)
    return converted
