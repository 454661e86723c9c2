# SPDX-License-Identifier: Apache-2.0
"""Known fixes for operators that stay outside XNNPACK. Data only; the first row that fits is given."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class HintRow:
    """`hint` applies where `operator` matches the operator's name and `reason` the partitioner's."""

    operator: str
    hint: str
    reason: str = ""


HINTS = (
    HintRow(r"_to_(dim_order_)?copy", reason=r"\b(int|bool|uint)\w*\)|from torch\.(int|bool)",
            hint="a Python number in the model became an integer constant that is converted in every execution: "
                 "write it as a float where the model is yours (nn.Hardsigmoid brings two of them)"),
    HintRow(r"_to_(dim_order_)?copy", reason=r"float16|float32",
            hint="a conversion of type splits the graph: keep one floating-point type throughout; in fp16, "
                 "nn.Hardsigmoid computes in float32, so replace it or export in fp32"),
    HintRow(r"native_layer_norm|native_group_norm",
            hint="XNNPACK has no such normalization: batch norm folds into the convolution before it, "
                 "RMS norm can be written with mul, mean and rsqrt"),
    HintRow(r"gelu", reason=r"fp16", hint="XNNPACK's GELU is float32 only: export in fp32, or use Hardswish or ReLU"),
    HintRow(r"max_pool2d", hint="make the stride no larger than the kernel and leave return_indices off"),
    HintRow(r"avg_pool2d", hint="pass stride explicitly; count_include_pad, ceil_mode and divisor_override must be off"),
    HintRow(r"upsample_nearest", hint="repeat with reshape and cat, or ConvTranspose2d with ones; measure both, since a "
                                      "delegated form can be slower than this operator"),
    HintRow(r"upsample_bilinear", hint="give a fixed output size or scale, align_corners as trained, and a 4-D input"),
    HintRow(r"mean\.dim", hint="XNNPACK averages 4-D tensors over their last two dimensions with keepdim=True: "
                               "keep the image shape until then, or insert a dimension of 1 and average over both"),
    HintRow(r"_softmax", reason=r"last dim", hint="move the softmax dimension to the end before the softmax"),
    HintRow(r"cat\.", hint="XNNPACK concatenates tensors of up to 4 dimensions and equal type: reshape before"),
    HintRow(r"select_copy|index\.|gather|embedding|scatter|index_put",
            hint="indexing stays outside XNNPACK: slicing with a constant range (x[:, 0:1]) does not, and "
                 "embeddings can be looked up before the model"),
    HintRow(r"split|unbind|chunk", hint="use slices with constant bounds in place of split or chunk"),
    HintRow(r"expand_copy|repeat", hint="rely on broadcasting in the operator that follows, or precompute the constant"),
    HintRow(r"unsqueeze_copy", reason=r"trailing", hint="reshape to the new rank with view in place of unsqueeze"),
    HintRow(r"view_copy|permute_copy|clone", reason=r"dynamic|symbolic",
            hint="export with fixed shapes, or leave at most one inferred dimension"),
    HintRow(r"convolution", hint="kernels, strides and padding must be constants, the weight a parameter of the module"),
    HintRow(r"bmm|matmul|(^|\.)mm\.|addmm|linear",
            hint="matrix products need floating-point inputs of one type; a weight must be a parameter of the module"),
    HintRow(r"", reason=r"mixed input dtypes", hint="cast the inputs to one type before the operator"),
    HintRow(r"", reason=r"dtype", hint="XNNPACK takes float32, float16 and quantized int8: keep integer and bool work small"),
)


def hint_for(operator: str, reason: str = "") -> str:
    """Return what to try for `operator`, or an empty string where nothing is known."""
    return next((row.hint for row in HINTS
                 if re.search(row.operator, operator) and re.search(row.reason, reason)), "")


def hint_for_failure(operator: str) -> str:
    """Return what to do about an operator that lowering failed at ("" where it is not known which)."""
    known = hint_for(operator) if operator else ""
    return known or "change the model there, or export with --backend portable"
