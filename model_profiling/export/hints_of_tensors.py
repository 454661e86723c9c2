# SPDX-License-Identifier: Apache-2.0
"""Known fixes for work on tensors: reduction, indexing, types, arithmetic. Data only."""

from __future__ import annotations

from model_profiling.export.hint_row import HintRow

_COMPARISON = r"\.(eq|ne|lt|le|gt|ge|where|logical_\w+|any|bitwise_\w+|isin\w*|masked_\w+)\."
_FILL = r"\.(arange|full|full_like|zeros|ones|scalar_tensor|zeros_like|ones_like|rand\w*|eye|tril|triu)\."

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

OF_TENSORS = (*_REDUCTION, *_INDEXING, *_TYPES, *_ARITHMETIC)
