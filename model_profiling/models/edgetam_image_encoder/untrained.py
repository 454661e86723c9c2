# SPDX-License-Identifier: Apache-2.0
"""Weights that stand in for the trained ones: the same on every machine, and shaped like trained ones.

Each entry is drawn from its own name, so that a recipe of a few lines gives the same checkpoint
to this implementation, to the original and to the recorded outputs that tests compare with.
"""

from __future__ import annotations

import zlib

import torch

from model_profiling.models.edgetam_image_encoder.architecture import ImageEncoder

SEED = 20250113
#: What training leaves in `num_batches_tracked`: any number; it is not used at inference.
BATCHES_SEEN = 1000


def untrained_state_dict(seed: int = SEED) -> dict[str, torch.Tensor]:
    """Return a value for every entry of the encoder's state dict, float32.

    Batch norm gets means, variances and scales that are far from 0, 1 and 1, so that folding it is
    tested by every model made of them; branches that are added to others get smaller scales, as
    training gives them, so that 18 residual blocks neither explode nor vanish.
    """
    with torch.device("meta"):
        entries = ImageEncoder().state_dict()
    return {name: _drawn(name, value.shape, seed) for name, value in entries.items()}


def _drawn(name: str, shape: torch.Size, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(zlib.crc32(name.encode()) ^ seed)
    uniform = torch.rand(shape, generator=generator)
    if name.endswith("num_batches_tracked"):
        return torch.tensor(BATCHES_SEEN)
    if name.endswith("running_var"):
        return 0.5 + uniform
    if name.endswith("running_mean"):
        return 0.8 * (uniform - 0.5)
    if name.endswith("bn.weight"):
        return _scale(name, uniform)
    if name.endswith("bias"):
        return 0.4 * (uniform - 0.5)
    fan_in = shape[1] * shape[2] * shape[3]
    return torch.randn(shape, generator=generator) / fan_in**0.5


def _scale(name: str, uniform: torch.Tensor) -> torch.Tensor:
    if "mixer.conv2." in name or "ffn.conv2." in name:
        return 0.1 + 0.3 * uniform
    if "token_mixer." in name:  # beside the identity, and of either sign
        return 0.6 * (uniform - 0.5)
    return 0.5 + uniform
