# SPDX-License-Identifier: Apache-2.0
"""Folding what inference does not need: batch norm into convolutions, parallel branches into one.

Both are exact in real arithmetic: batch norm at inference scales and shifts each channel, and a
depthwise 3x3, a depthwise 1x1 and the identity side by side are one depthwise 3x3 whose middle
taps are added (Ding et al., "RepVGG", CVPR 2021, section 3.3). Everything is computed in float64
and rounded once.
"""

from __future__ import annotations

import torch
from torch import nn

from model_profiling.models.edgetam_image_encoder.architecture import ConvNorm, TokenMixer


def fuse(module: nn.Module) -> nn.Module:
    """Replace every foldable submodule of `module`, in place, by one convolution of the same name."""
    for name, child in list(module.named_children()):
        if isinstance(child, TokenMixer):
            setattr(module, name, fuse_token_mixer(child))
        elif isinstance(child, ConvNorm):
            setattr(module, name, fuse_conv_norm(child))
        else:
            fuse(child)
    return module


def fuse_conv_norm(layer: ConvNorm) -> nn.Conv2d:
    """Return one convolution with a bias that computes what `layer` does at inference."""
    return _convolution(layer.c, *_folded(layer))


def fuse_token_mixer(layer: TokenMixer) -> nn.Conv2d:
    """Return one depthwise 3x3 convolution that computes what the three branches add up to."""
    weight, bias = _folded(layer.conv)
    pointwise, shift = _folded(layer.conv1)
    middle = weight.shape[-1] // 2
    weight[:, :, middle, middle] += pointwise[:, :, 0, 0] + 1  # the identity is a tap of one
    return _convolution(layer.conv.c, weight, bias + shift)


def _folded(layer: ConvNorm) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the weight and bias of `layer` as one convolution, in float64."""
    norm = layer.bn
    mean, variance = norm.get_buffer("running_mean").double(), norm.get_buffer("running_var").double()
    scale = norm.weight.double() / torch.sqrt(variance + norm.eps)
    weight = layer.c.weight.double() * scale[:, None, None, None]
    return weight.detach(), (norm.bias.double() - mean * scale).detach()


def _convolution(like: nn.Conv2d, weight: torch.Tensor, bias: torch.Tensor) -> nn.Conv2d:
    made: nn.Conv2d = nn.utils.skip_init(  # type: ignore[no-untyped-call]  # torch gives it no types
        nn.Conv2d, like.in_channels, like.out_channels, like.kernel_size, like.stride, like.padding, groups=like.groups
    )
    with torch.no_grad():
        made.weight.copy_(weight)
        made.get_parameter("bias").copy_(bias)
    return made.eval()
