# SPDX-License-Identifier: Apache-2.0
"""Depthwise convolutions of more taps than XNNPACK's depthwise kernels have, as a sum of smaller ones.

XNNPACK computes a depthwise convolution of up to 25 taps with kernels of its own, a larger one as a matrix product of
one column for each channel.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from model_profiling.export.convolutions import OPERATORS, read_convolution
from model_profiling.export.rewrite import FLOATS, Rewrite

if TYPE_CHECKING:
    import torch

    from model_profiling.export.graph_editor import GraphEditor


def edit(editor: GraphEditor, node: torch.fx.Node) -> bool:
    from model_profiling.models import export_friendly_functions as functions

    conv = read_convolution(editor, node)
    if conv is None or conv.groups == 1 or conv.weight.shape[1] != 1 or conv.dilation != (1, 1):
        return False
    bands = functions.depthwise_bands((conv.weight.shape[2], conv.weight.shape[3]), conv.padding)
    if len(bands) < 2:
        return False
    form = functools.partial(functions.banded_depthwise, bands=bands, stride=conv.stride, groups=conv.groups)
    return editor.replace(node, form, conv.source, conv.bias, *(band.of(conv.weight) for band in bands))


REWRITE = Rewrite(
    name="large-depthwise",
    rank=125,
    replaces="a depthwise convolution of more than 25 taps, such as 7x7",
    operators=OPERATORS,
    dtypes=FLOATS,
    bound=(2e-6, 4e-3),
    saves="Most of its time: XNNPACK makes a matrix product of one column a channel of it.",
    edit=edit,
)
