# SPDX-License-Identifier: Apache-2.0
"""Known fixes for layers: calls that are taken apart, normalization, pooling. Data only."""

from __future__ import annotations

from model_profiling.export.hint_row import HintRow

# Calls that are taken apart before XNNPACK sees them: the parts mean nothing to the model's author.
_CALLS = (
    HintRow(
        "attention",
        "write it out, softmax(q @ k.transpose(-2, -1) * scale + mask, -1) @ v with a float mask that is a "
        "buffer: export_friendly.Attention",
        origin=r"^scaled_dot_product_attention$",
    ),
    HintRow(
        "recurrent",
        "a recurrent layer is unrolled, every time step with its own operators: write the cell with one "
        "Linear a gate, or give the model one step and pass the state in and out",
        origin=r"^(gru|lstm|rnn_tanh|rnn_relu)$",
        cost="a Linear a gate is several small products in place of one",
    ),
    HintRow(
        "border",
        "build the border from slices and cat: export_friendly.reflect_pad2d; or pad with zeros, which is another "
        "result",
        origin=r"^(pad|reflection_pad\dd|replication_pad\dd)$",
        operator=r"index|arange|abs|sub|clamp",
    ),
    HintRow("roll", "cat the two slices, as in torch.cat([x[:, -n:], x[:, :-n]], 1)", origin=r"^roll$"),
    HintRow(
        "bicubic",
        "use bilinear interpolation, or resize before the model",
        origin=r"^upsample_bicubic",
        cost="another result: check the accuracy",
    ),
    HintRow(
        "pool 1-d",
        "reshape (n, c, l) to (n, c, 1, l) and use the 2-d pooling with kernel (1, k): export_friendly.MaxPool1d",
        origin=r"^(max|avg)_pool1d",
    ),
    HintRow(
        "hard-sigmoid",
        "nn.Hardsigmoid brings integer constants and, in fp16, a conversion to float32 and back that splits "
        "the graph: export_friendly.HardSigmoid",
        origin=r"^hardsigmoid",
    ),
    HintRow(
        "silu",
        "nn.SiLU computes in float32 in an fp16 graph: write x * torch.sigmoid(x), or export_friendly.SiLU",
        origin=r"^silu",
    ),
    HintRow(
        "softplus",
        "write relu(x) + log(1 + exp(-|x|)), as in export_friendly.Softplus and export_friendly.Mish",
        origin=r"^(softplus|mish)$",
        cost="an absolute error up to 6e-8 (fp32) or 5e-4 (fp16) where the result is near zero",
    ),
    HintRow(
        "elu",
        "write relu(x) + exp(min(x, 0)) - 1: export_friendly.ELU",
        origin=r"^(elu|celu)",
        cost="an absolute error up to 6e-8 (fp32) or 5e-4 (fp16) near zero",
    ),
    HintRow("RMS norm", "take the mean square over a 4-D view, as in export_friendly.RMSNorm", origin=r"^rms_norm$"),
    HintRow(
        "instance norm",
        "normalize with mean((2, 3), keepdim=True): export_friendly.GroupNorm with one channel a group",
        origin=r"^instance_norm$|_native_batch_norm_legit",
    ),
    HintRow(
        "vector norm", "write x * rsqrt((x * x) @ ones): export_friendly.L2Normalize", origin=r"vector_norm|^norm$"
    ),
)

_NORMALIZATION = (
    HintRow(
        "layer norm",
        "take mean and variance over a 4-D view: export_friendly.LayerNorm takes over the weights of nn.LayerNorm",
        operator=r"native_layer_norm",
        cost="more passes over the data, which shows where one normalization is large: measure",
    ),
    HintRow(
        "group norm",
        "take mean and variance over a 4-D view: export_friendly.GroupNorm takes over the weights of nn.GroupNorm",
        operator=r"native_group_norm",
        cost="more passes over the data; slower in fp32 where it was measured (x86-64), faster in fp16",
    ),
    HintRow(
        "gelu in fp16",
        "XNNPACK's GELU is float32 only: export_friendly.TanhGELU (from sigmoid), or export in fp32",
        operator=r"gelu",
        reason=r"fp16",
        cost="at most 5e-4 from the exact GELU, as approximate='tanh' is",
    ),
    HintRow(
        "softmax dim",
        "flatten to three dimensions with the softmax dimension last: export_friendly.softmax_channels. After a "
        "convolution do not permute four: XNNPACK's softmax of a 4-D tensor is wrong there in this release",
        operator=r"_softmax",
        reason=r"last dim",
    ),
    HintRow(
        "log-softmax",
        "write torch.log(torch.softmax(x, -1))",
        operator=r"_log_softmax",
        cost="probabilities below the smallest number of the type become -inf",
    ),
    HintRow(
        "variance",
        "write the mean of the squared differences, with mean((2, 3), keepdim=True)",
        operator=r"\.(var|std)\.",
    ),
)

_POOLING = (
    HintRow(
        "adaptive pooling",
        "give AvgPool2d the kernel and stride that the fixed input size implies",
        operator=r"adaptive_avg_pool",
        cost="the input's size is fixed by it",
    ),
    HintRow(
        "pooling with counted padding",
        "pad with F.pad before and pool without padding, or count_include_pad=False",
        operator=r"avg_pool",
        reason=r"zero-padding",
    ),
    HintRow(
        "pooling with ceil",
        "leave ceil_mode off; pad the input to a size that needs none",
        operator=r"avg_pool",
        reason=r"ceil",
        cost="another result at the border",
    ),
    HintRow(
        "pooling stride",
        "make the stride no larger than the kernel, for example by slicing before",
        operator=r"max_pool",
        reason=r"stride",
    ),
    HintRow("pooling indices", "leave return_indices off", operator=r"max_pool2d_with_indices"),
    HintRow(
        "nearest upsampling",
        "multiply a reshaped view by ones: export_friendly.UpsampleNearest2d; bilinear is taken as it is",
        operator=r"upsample_nearest",
        cost="measure both, since a delegated form can be slower than this operator",
    ),
    HintRow("bilinear at dynamic size", "give a fixed input size", operator=r"upsample_bilinear", reason=r"dynamic"),
)

OF_LAYERS = (*_CALLS, *_NORMALIZATION, *_POOLING)
