# SPDX-License-Identifier: Apache-2.0
"""Depthwise convolutions of more taps than XNNPACK's depthwise kernels have, as a sum of smaller ones.

XNNPACK computes a depthwise convolution of up to 25 taps with kernels of its own, a larger one as a matrix product of
one column for each channel.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from model_profiling.export.rewrite import FLOATS, Rewrite
from model_profiling.models.graph_places import operator_of

if TYPE_CHECKING:
    import torch

    from model_profiling.export.graph_editor import GraphEditor

_CONVOLUTION, _CONV2D = "aten.convolution.default", "aten.conv2d.default"


def edit(editor: GraphEditor, node: torch.fx.Node) -> bool:
    from model_profiling.models import export_friendly_functions as functions

    arguments: list[Any] = [*node.args, *[None] * 7]
    x, weight = arguments[0], editor.value_of(arguments[1])
    name = operator_of(node)
    if weight is None or weight.dim() != 4 or (name == _CONVOLUTION and arguments[6]):
        return False
    stride, padding, dilation = (
        _both(given, default) for given, default in zip(arguments[3:6], (1, 0, 1), strict=True)
    )
    groups = (arguments[8] if name == _CONVOLUTION else arguments[6]) or 1
    if groups == 1 or weight.shape[1] != 1 or dilation != (1, 1):
        return False
    bands = functions.depthwise_bands((weight.shape[2], weight.shape[3]), padding)
    if len(bands) < 2:
        return False
    form = functools.partial(functions.banded_depthwise, bands=bands, stride=stride, groups=groups)
    return editor.replace(node, form, x, arguments[2], *(band.of(weight) for band in bands))


def _both(given: Any, default: int) -> tuple[int, int]:
    """Return the values for height and width."""
    values = tuple(given or (default,))
    return (values[0], values[-1])


REWRITE = Rewrite(
    name="large-depthwise",
    rank=125,
    replaces="a depthwise convolution of more than 25 taps, such as 7x7",
    operators=(_CONVOLUTION, _CONV2D),
    dtypes=FLOATS,
    bound=(2e-6, 4e-3),
    saves="Most of its time: XNNPACK makes a matrix product of one column a channel of it.",
    edit=edit,
)
