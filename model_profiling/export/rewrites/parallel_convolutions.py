# SPDX-License-Identifier: Apache-2.0
"""Convolutions of one input that are added up, with the input itself, as one convolution.

At inference they are one linear map (Ding et al., "RepVGG", CVPR 2021, section 3.3): a smaller kernel is added to the
middle of a larger one, the identity to its middle tap, and batch norm scales and shifts each channel.
"""

from __future__ import annotations

import functools
import operator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from model_profiling.export.convolutions import read_convolution
from model_profiling.export.rewrite import FLOATS, Rewrite
from model_profiling.models.graph_places import operator_of

if TYPE_CHECKING:
    import torch

    from model_profiling.export.graph_editor import GraphEditor

#: At inference; it gives a tuple, whose first item is the result.
_BATCH_NORM = "aten._native_batch_norm_legit_no_training.default"


@dataclass(frozen=True)
class _Branch:
    """A convolution of `source`, its weight and bias in float64."""

    source: torch.fx.Node
    weight: torch.Tensor
    bias: torch.Tensor
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int

    @property
    def kernel(self) -> tuple[int, ...]:
        return tuple(self.weight.shape[2:])


def edit(editor: GraphEditor, node: torch.fx.Node) -> bool:
    import torch

    given: Any = node.args
    if node.kwargs.get("alpha", 1) != 1 or not all(isinstance(one, torch.fx.Node) for one in given):
        return False
    branches = [_branch(editor, one) for one in given]
    if branches[0] is None and branches[1] is None:
        return False
    first = branches[0] or _identity(given[0], branches[1])
    second = branches[1] or _identity(given[1], branches[0])
    added = _added(first, second) if first and second else None
    if added is None or added.source.meta["val"].dtype != node.meta["val"].dtype:
        return False
    form = functools.partial(
        torch.nn.functional.conv2d,
        stride=added.stride,
        padding=added.padding,
        dilation=added.dilation,
        groups=added.groups,
    )
    dtype = node.meta["val"].dtype
    return editor.replace(node, form, added.source, added.weight.to(dtype), added.bias.to(dtype))


def _branch(editor: GraphEditor, node: torch.fx.Node) -> _Branch | None:
    """Return the convolution that gives `node` and nothing else, batch norm after it folded; None where it is none."""
    arguments: tuple[Any, ...] = node.args
    if len(node.users) != 1:
        return None
    if node.target is operator.getitem and arguments[1] == 0 and operator_of(arguments[0]) == _BATCH_NORM:
        return _normalized(editor, arguments[0])
    conv = read_convolution(editor, node)
    bias = None if conv is None else editor.value_of(conv.bias)
    if conv is None or (conv.bias is not None and bias is None):
        return None
    weight = conv.weight.double()
    shift = weight.new_zeros(len(weight)) if bias is None else bias.double()
    return _Branch(conv.source, weight, shift, conv.stride, conv.padding, conv.dilation, conv.groups)


def _normalized(editor: GraphEditor, node: torch.fx.Node) -> _Branch | None:
    import torch

    arguments: tuple[Any, ...] = node.args
    branch = _branch(editor, arguments[0])
    values = [editor.value_of(one) for one in arguments[1:5]]
    if branch is None or any(value is None for value in values):
        return None
    gain, offset, mean, variance = (value.double() for value in values if value is not None)
    scale = gain / torch.sqrt(variance + arguments[6])
    weight, bias = branch.weight * scale[:, None, None, None], offset + (branch.bias - mean) * scale
    return replace(branch, weight=weight, bias=bias)


def _identity(node: torch.fx.Node, like: _Branch | None) -> _Branch | None:
    """Return the input of `like` as a convolution of one tap."""
    import torch

    if like is None or node is not like.source or set(like.stride) != {1}:
        return None
    outputs, inputs = like.weight.shape[:2]
    if outputs != inputs * like.groups:
        return None
    weight = torch.eye(inputs, dtype=torch.float64).repeat(like.groups, 1)[:, :, None, None]
    return _Branch(node, weight, weight.new_zeros(outputs), like.stride, (0, 0), (1, 1), like.groups)


def _added(first: _Branch, second: _Branch) -> _Branch | None:
    """Return the two as one; None where their taps do not lie on one another."""
    import torch

    large, small = sorted((first, second), key=lambda one: one.kernel, reverse=True)
    if (large.source, large.stride, large.groups) != (small.source, small.stride, small.groups):
        return None
    if large.weight.shape[:2] != small.weight.shape[:2]:
        return None
    if large.dilation != small.dilation and set(small.kernel) != {1}:
        return None
    reach = []
    for axis in (1, 0):
        missing = large.kernel[axis] - small.kernel[axis]
        if (
            missing < 0
            or missing % 2
            or large.padding[axis] - small.padding[axis] != missing // 2 * large.dilation[axis]
        ):
            return None
        reach += [missing // 2] * 2
    return replace(
        large, weight=large.weight + torch.nn.functional.pad(small.weight, reach), bias=large.bias + small.bias
    )


REWRITE = Rewrite(
    name="parallel-convolutions",
    rank=25,
    replaces="aten.add of convolutions of one input with weights that are stored, or of one and its input",
    operators=("aten.add.Tensor",),
    dtypes=FLOATS,
    bound=(1e-5, 1e-2),
    saves="Reads and writes of whole activations, one for each branch: the parts of RepVGG, RepViT and MobileOne.",
    edit=edit,
)
