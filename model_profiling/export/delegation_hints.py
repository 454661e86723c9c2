# SPDX-License-Identifier: Apache-2.0
"""Known fixes for operators that stay outside XNNPACK. Data only; the first row that fits is given.

Every row is verified by real exports (`test-cases/export/test_hints.py`): before the fix the operator is
outside for the row's reason, after it fewer operators are. `export_friendly` is
`model_profiling.models.export_friendly`. Rows were found on ExecuTorch 1.5.1.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class HintRow:
    """`hint` applies where all three patterns match; an empty pattern matches anything.

    `operator` is the edge operator's name, `origin` the call in the model that it was made of,
    `reason` the partitioner's. `cost` says what the fix costs, "" where nothing was seen.
    """

    name: str
    hint: str
    operator: str = ""
    origin: str = ""
    reason: str = ""
    cost: str = ""

    @property
    def text(self) -> str:
        return f"{self.hint}. Cost: {self.cost}" if self.cost else self.hint

    def fits(self, operator: str, reason: str, origin: str) -> bool:
        return all(
            re.search(pattern, text)
            for pattern, text in ((self.operator, operator), (self.reason, reason), (self.origin, origin))
        )


_COMPARISON = r"\.(eq|ne|lt|le|gt|ge|where|logical_\w+|any|bitwise_\w+|isin\w*|masked_\w+)\."
_FILL = r"\.(arange|full|full_like|zeros|ones|scalar_tensor|zeros_like|ones_like|rand\w*|eye|tril|triu)\."

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

_REDUCTION = (
    HintRow(
        "mean without keepdim", "use keepdim=True and reshape afterwards", operator=r"mean\.dim", reason=r"keepdim"
    ),
    HintRow(
        "mean of another rank",
        "view as four dimensions, mean((2, 3), keepdim=True), and reshape back",
        operator=r"mean\.dim",
        reason=r"rank|invalid dims",
    ),
    HintRow(
        "mean of other dimensions",
        "over channels: a 1x1 convolution with weights 1/c; else bring the dimensions last by a view",
        operator=r"mean\.dim",
    ),
    HintRow("sum", "multiply with a vector of ones: x @ ones(n, 1)", operator=r"\.sum\.dim"),
    HintRow(
        "largest value",
        "over height and width: F.max_pool2d with a kernel of the whole size; over others: after the model",
        operator=r"\.(amax|amin|max\.dim)",
    ),
    HintRow(
        "running sum",
        "multiply with a triangular matrix of ones",
        operator=r"cumsum",
        cost="n times the multiply-adds: for short dimensions",
    ),
    HintRow(
        "ranking",
        "leave it out of the model and do it on the outputs, outside ExecuTorch",
        operator=r"\.(argmax|argmin|topk|sort|argsort|nonzero|unique\w*)\.",
    ),
)

_INDEXING = (
    HintRow(
        "embedding",
        "XNNPACK has no table look-up: pass the looked-up vectors in as the input, where the table may live outside",
        operator=r"\.embedding\.",
        cost="the table moves to the caller; one look-up is cheap as it is",
    ),
    HintRow(
        "cache",
        "write the cache by mask arithmetic or by shifting: export_friendly.cache_update; with the cache as input and "
        "output nothing stays outside",
        operator=r"index_put|index_copy|\.scatter\.",
        cost="the whole cache is rewritten in every execution, so measure for long ones",
    ),
    HintRow(
        "in-place slice",
        "build the result with torch.cat of the slices in place of writing into a view",
        operator=r"slice_scatter|select_scatter|\.copy\.default",
    ),
    HintRow(
        "select",
        "slice with a constant range and reshape: x[:, 0:1].reshape(...) in place of x[:, 0]",
        operator=r"select_copy",
    ),
    HintRow(
        "index by constants",
        "slices with constant bounds in place of index tensors",
        operator=r"\.(index|index_select|gather)\.|flip",
    ),
    HintRow(
        "slice with a step",
        "AvgPool2d(1, stride) picks every n-th row and column",
        operator=r"slice_copy",
        reason=r"no reason",
    ),
    HintRow("slice at dynamic size", "export with fixed shapes", operator=r"slice_copy", reason=r"shape"),
    HintRow("split", "slices with constant bounds in place of split, chunk or unbind", operator=r"split|unbind|chunk"),
    HintRow("squeeze", "reshape to the new shape in place of squeeze", operator=r"squeeze_copy\.dims?|(^|\.)squeeze"),
    HintRow(
        "unsqueeze", "reshape to the new shape in place of unsqueeze", operator=r"unsqueeze_copy", reason=r"trailing"
    ),
    HintRow(
        "repetition", "rely on broadcasting, or multiply by ones of the new shape", operator=r"expand_copy|\.repeat\."
    ),
    HintRow(
        "concatenation with itself",
        "XNNPACK concatenates different tensors: give one as x * 1.0, or multiply a view by ones",
        operator=r"\.cat\.",
        reason=r"got 1 tensors",
        cost="one more pass over it",
    ),
    HintRow("negative padding", "crop with slices", operator=r"constant_pad_nd", reason=r"negative"),
)

_TYPES = (
    HintRow(
        "integer constant",
        "a whole number in the model (x * 2) became an integer tensor that is converted in every "
        "execution: write 2.0; in fp16 register it as a buffer",
        operator=r"_to_(dim_order_)?copy",
        reason=r"\b(int|uint)\w*\).*single number",
    ),
    HintRow(
        "constant in fp16",
        "a number in the model is kept in float32 and converted in every execution: register it as a "
        "buffer, which is cast once",
        operator=r"_to_(dim_order_)?copy",
        reason=r"float.*single number",
    ),
    HintRow(
        "mask conversion",
        "pass or register the mask as floating point",
        operator=r"_to_(dim_order_)?copy",
        reason=r"\b(bool|int\w*|uint\w*)\)|(from|to) torch\.(bool|int)",
    ),
    HintRow(
        "float conversion",
        "keep one floating-point type throughout: .float() and layers that compute in float32 split an "
        "fp16 graph; or export in fp32",
        operator=r"_to_(dim_order_)?copy",
        reason=r"float(16|32|64)",
    ),
    HintRow(
        "memory format",
        "leave the memory format to XNNPACK: no channels_last in the model",
        operator=r"clone|_to_dim_order_copy",
        reason=r"dim-order",
    ),
    HintRow(
        "comparison",
        "use arithmetic: relu, clamp, maximum, minimum, LeakyReLU; a constant mask as x * keep + fill with "
        "float buffers",
        operator=_COMPARISON,
    ),
    HintRow("random numbers", "pass random numbers in as an input", operator=r"\.(rand|bernoulli|multinomial|normal)"),
    HintRow(
        "constant made anew",
        "it is made anew in every execution: register it as a buffer",
        operator=_FILL,
        cost="the buffer is stored in the .pte",
    ),
)

_ARITHMETIC = (
    HintRow(
        "power",
        "x * x * x for whole powers, torch.sqrt(x) for 0.5; x ** 2 with a whole 2 is taken",
        operator=r"\.pow\.",
    ),
    HintRow("reciprocal", "divide a buffer of 1.0 by x", operator=r"reciprocal"),
    HintRow(
        "alpha", "multiply first, then add: torch.add(x, y * 2.0)", operator=r"\.(add|sub)\.Tensor", reason=r"alpha"
    ),
    HintRow("clamp by tensor", "torch.maximum and torch.minimum", operator=r"clamp\.Tensor"),
    HintRow(
        "rounded division",
        "torch.floor(x / n); the rest as x - n * floor(x / n)",
        operator=r"div\.Tensor_mode|remainder|fmod|floor_divide",
        reason=r"know",
        cost="where x is near a multiple of n the floor can differ by one",
    ),
    HintRow(
        "accurate log and exp",
        "torch.log(1 + x) and torch.exp(x) - 1 are taken",
        operator=r"log1p|expm1",
        cost="they lose accuracy near zero",
    ),
    HintRow(
        "3-d convolution",
        "fold a dimension into the batch or the channels and use Conv2d",
        operator=r"convolution",
        reason=r"1D \+ 2D",
    ),
    HintRow(
        "computed weight",
        "the weight is computed or an input: store it ready in a parameter; for products of two activations use matmul",
        operator=r"convolution|linear|addmm|\.mm\.",
        reason=r"static param|Expected",
    ),
    HintRow(
        "dynamic shape",
        "export with fixed shapes; a view may have one inferred dimension (-1) and no symbolic one",
        reason=r"[Ss]ymbolic|inferred dim|dynamic shape",
    ),
    HintRow(
        "state",
        "the model writes its state (a buffer) or its input back in every execution: take the state as an input "
        "and return it",
        operator=r"copy_\.",
        cost="the caller keeps the state",
    ),
    HintRow(
        "integer arithmetic",
        "XNNPACK takes float32, float16 and quantized int8: compute indices and positions before the "
        "model, or register them as a buffer",
        reason=r"invalid dtype \(.*(int|bool)",
    ),
)

HINTS = (*_CALLS, *_NORMALIZATION, *_POOLING, *_REDUCTION, *_INDEXING, *_TYPES, *_ARITHMETIC)


def row_for(operator: str, reason: str = "", origin: str = "") -> HintRow | None:
    """Return the first row that fits an operator outside XNNPACK, or None."""
    return next((row for row in HINTS if row.fits(operator, reason, origin)), None)


def hint_for(operator: str, reason: str = "", origin: str = "") -> str:
    """Return what to try for an operator, and its cost; an empty string where nothing is known."""
    row = row_for(operator, reason, origin)
    return row.text if row else ""
