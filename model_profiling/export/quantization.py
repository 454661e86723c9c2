# SPDX-License-Identifier: Apache-2.0
"""int8 by post-training quantization (PT2E): symmetric, per-channel weights, static activations."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def quantize(
    program: torch.export.ExportedProgram, samples: Sequence[tuple[object, ...]], kwargs: dict[str, object]
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
    from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (
        XNNPACKQuantizer,
        get_symmetric_quantization_config,
    )
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

    quantizer = XNNPACKQuantizer()
    quantizer.set_global(get_symmetric_quantization_config(is_per_channel=True))
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
    return convert_pt2e(prepared)
