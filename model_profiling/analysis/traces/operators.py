# SPDX-License-Identifier: Apache-2.0
"""The one table that gives every operator its category, by exact name.

XNNPACK names an operator "<operator> (<layout, element types>) <microkernel>", and
ExecuTorch's XNNPACK delegate appends " #<n>" for the n-th of that name in its delegate.
Operators outside a delegate are recorded as "native_call_<kernel>.<overload>". Only the
operator or kernel itself decides, compared as a whole: a part of a name misleads
("Convert" is no convolution, "Resize Bilinear" is not linear).

XNNPACK's names come from its `xnn_operator_type_to_string`, `xnn_unary_operator_to_string`
and `xnn_binary_operator_to_string` tables, kernel names from the registrations in the
runtime's kernel libraries. A test reads both out of the pinned wheel's libraries and
finds each of them here; a name that is not here counts as "Other" and is reported.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from dataclasses import dataclass

CONV, GEMM, DATA_MOVEMENT, ELEMENTWISE, OTHER = CATEGORIES = ("CONV", "GEMM", "Data Movement", "Elementwise", "Other")
#: Time of a method that none of its operators accounts for. Derived, never an event's category.
FRAMEWORK_OVERHEAD = "Framework overhead"
#: Category column of events that enclose operators or only steer the program.
CONTAINER = "container"

METHOD, DELEGATE_CALL, OPERATOR_CALL = "Method::execute", "DELEGATE_CALL", "OPERATOR_CALL"
#: Instructions that run no operator: jump if false, move, free (executorch/runtime/executor/method.cpp).
CONTROL_INSTRUCTIONS = ("JF_CALL", "MOVE_CALL", "FREE_CALL")
#: Loading, recorded outside executions, and a method's single-stepping.
OTHER_RUNTIME_EVENTS = ("Method::init", "Method::step", "Program::load_method")
CONTAINERS = frozenset((METHOD, DELEGATE_CALL, OPERATOR_CALL, *CONTROL_INSTRUCTIONS, *OTHER_RUNTIME_EVENTS))

NATIVE_PREFIX = "native_call_"
#: The operator that XNNPACK inserts to pack the left-hand side of a matrix product for SME2.
PACKING = "Pack LH"
XNNPACK, PORTABLE, UNKNOWN_DELEGATE = "XNNPACK", "portable", "unknown"

#: Microkernel types that XNNPACK appends (`xnn_microkernel_type_to_string`).
MICROKERNELS = (
    "Default",
    "Average Pooling",
    "Conv2D HWC2CHW",
    "DWConv",
    "GEMM",
    "IGEMM",
    "Reduce",
    "Reduce2",
    "Pixelwise Average Pooling",
    "SPMM",
    "Subconv2D",
    "VMulCAddC",
)

# "Bankders Rounding" is XNNPACK's own spelling. "Invalid Unary Op" is how it calls an elementwise
# operator that it runs as a table lookup (GELU in int8): the kind is known, the function is lost.
_XNNPACK_OPERATORS = {
    CONV: ("Convolution", "Deconvolution"),
    GEMM: ("Batch Matrix Multiply", "Dynamic Fully Connected", "Fully Connected"),
    DATA_MOVEMENT: (
        "Constant Pad",
        "Convert",
        "Copy",
        "Depth To Space",
        "Fuse Dims",
        "Pack LH",
        "Slice",
        "Space To Depth",
        "Split Dims",
        "Static Expand Dims",
        "Static Reshape",
        "Transpose",
        "Unpooling",
    ),
    ELEMENTWISE: (
        "ATan2",
        "Abs",
        "Add",
        "ApproxGELU",
        "Bankders Rounding",
        "Binary Elementwise",
        "Bitwise And",
        "Bitwise Not",
        "Bitwise Or",
        "Bitwise Xor",
        "Ceiling",
        "Clamp",
        "Copy Sign",
        "Cosine",
        "Count Leading Zeros",
        "Cube Root",
        "Divide",
        "ELU",
        "Exp",
        "Floor",
        "GELU",
        "HardSwish",
        "Invalid Binary Op",
        "Invalid Unary Op",
        "LeakyReLU",
        "Log",
        "Maximum",
        "Minimum",
        "Modulus",
        "Multiply",
        "Negate",
        "PReLU",
        "Population Count",
        "Power",
        "Reciprocal Square Root",
        "RoPE",
        "Shift Left",
        "Shift Right Arithmetic",
        "Shift Right Logical",
        "Sigmoid",
        "Sign",
        "Sine",
        "Square",
        "Square Root",
        "Squared Difference",
        "Subtract",
        "TanH",
        "Unary Elementwise",
    ),
    OTHER: (
        "ArgMax Pooling",
        "Average Pooling",
        "Max Pooling",
        "Mean",
        "Mean Squared",
        "Normalize",
        "Reduce Max",
        "Reduce Min",
        "Resize Bilinear",
        "Softmax",
        "Sum",
        "Invalid",
    ),
}

# Kernels by their name without the overload; an overload changes types, not the kind of work.
_KERNELS = {
    CONV: ("convolution", "convolution_backward"),
    GEMM: ("addmm", "bmm", "linear", "mixed_linear", "mixed_mm", "mm"),
    DATA_MOVEMENT: (
        "_clone_dim_order",
        "_d2h_copy",
        "_empty_dim_order",
        "_h2d_copy",
        "_to_copy",
        "_to_dim_order_copy",
        "alias_copy",
        "as_strided_copy",
        "cat",
        "clone",
        "constant_pad_nd",
        "copy",
        "copy_",
        "dequantize_per_channel",
        "dequantize_per_tensor",
        "dequantize_per_token",
        "detach_copy",
        "diagonal_copy",
        "embedding",
        "embedding_2bit",
        "embedding_4bit",
        "embedding_byte",
        "empty",
        "expand_copy",
        "fill",
        "flip",
        "full",
        "full_like",
        "gather",
        "index",
        "index_put",
        "index_put_",
        "index_select",
        "lift_fresh_copy",
        "llama::update_cache",
        "masked_scatter",
        "masked_select",
        "narrow_copy",
        "ones",
        "permute_copy",
        "pixel_shuffle",
        "pixel_unshuffle",
        "quantize_per_channel",
        "quantize_per_tensor",
        "quantize_per_token",
        "reflection_pad1d",
        "reflection_pad2d",
        "reflection_pad3d",
        "repeat",
        "repeat_interleave",
        "replication_pad1d",
        "replication_pad2d",
        "replication_pad3d",
        "roll",
        "scalar_tensor",
        "scatter",
        "select_copy",
        "select_scatter",
        "slice_copy",
        "slice_scatter",
        "split_copy",
        "split_with_sizes_copy",
        "squeeze_copy",
        "stack",
        "t_copy",
        "transpose_copy",
        "tril",
        "unbind_copy",
        "unfold_copy",
        "unsqueeze_copy",
        "upsample_nearest2d",
        "view_as_real_copy",
        "view_copy",
        "zeros",
    ),
    ELEMENTWISE: (
        "_conj_physical",
        "abs",
        "acos",
        "acosh",
        "add",
        "asin",
        "asinh",
        "atan",
        "atan2",
        "atanh",
        "bitwise_and",
        "bitwise_left_shift",
        "bitwise_not",
        "bitwise_or",
        "bitwise_right_shift",
        "bitwise_xor",
        "ceil",
        "clamp",
        "cos",
        "cosh",
        "div",
        "elu",
        "eq",
        "erf",
        "exp",
        "expm1",
        "floor",
        "floor_divide",
        "fmod",
        "ge",
        "gelu",
        "glu",
        "gt",
        "hardtanh",
        "isinf",
        "isnan",
        "le",
        "leaky_relu",
        "log",
        "log10",
        "log1p",
        "log2",
        "logical_and",
        "logical_not",
        "logical_or",
        "logical_xor",
        "logit",
        "lt",
        "masked_fill",
        "maximum",
        "minimum",
        "mul",
        "native_dropout",
        "ne",
        "neg",
        "pow",
        "reciprocal",
        "relu",
        "remainder",
        "round",
        "rsqrt",
        "rsub",
        "sigmoid",
        "sign",
        "sin",
        "sinh",
        "sqrt",
        "sub",
        "tan",
        "tanh",
        "trunc",
        "where",
    ),
    OTHER: (
        "_adaptive_avg_pool2d",
        "_cdist_forward",
        "_fft_c2r",
        "_fft_r2c",
        "_log_softmax",
        "_native_batch_norm_legit",
        "_native_batch_norm_legit_no_training",
        "_pdist_forward",
        "_softmax",
        "_upsample_bilinear2d_aa",
        "all",
        "allclose",
        "amax",
        "amin",
        "any",
        "arange",
        "argmax",
        "argmin",
        "avg_pool2d",
        "choose_qparams",
        "choose_qparams_per_token_asymmetric",
        "cumsum",
        "grid_sampler_2d",
        "llama::custom_sdpa",
        "llama::gated_delta_rule",
        "llama::sdpa_with_kv_cache",
        "max",
        "max_pool2d_with_indices",
        "max_pool2d_with_indices_backward",
        "mean",
        "min",
        "native_group_norm",
        "native_layer_norm",
        "nonzero",
        "prod",
        "rand",
        "randn",
        "scatter_add",
        "sum",
        "topk",
        "upsample_bilinear2d",
        "var",
        "var_mean",
    ),
}

_XNNPACK_CATEGORY = {name: category for category, names in _XNNPACK_OPERATORS.items() for name in names}
_KERNEL_CATEGORY = {name: category for category, names in _KERNELS.items() for name in names}

_WITHOUT_LAYOUT = frozenset(("Invalid", "Invalid Binary Op", "Invalid Unary Op"))

_ORDINAL = re.compile(r" #\d+\Z")
_XNNPACK_NAME = re.compile(
    r"(?P<operator>[^()]+) \((?P<layout>[^(),]*)[^()]*\)"
    rf"(?P<microkernel> (?:{'|'.join(re.escape(name) for name in MICROKERNELS)}))?\Z"
)


@dataclass(frozen=True)
class Operator:
    """What a recorded name stands for.

    `operator` is the bare operator or kernel; `mapped` is False where the table lacks it
    and `category` is therefore "Other".
    """

    operator: str
    category: str
    backend: str
    mapped: bool


@functools.lru_cache(maxsize=4096)
def delegated_operator(name: str) -> Operator:
    """Return what a delegate's event name stands for; XNNPACK is the delegate this kit knows."""
    bare = _ORDINAL.sub("", name)
    match = _XNNPACK_NAME.match(bare)
    operator = match["operator"] if match else bare
    category = _XNNPACK_CATEGORY.get(operator) if match or bare in _WITHOUT_LAYOUT else None
    if category is None:
        return Operator(bare, OTHER, UNKNOWN_DELEGATE, mapped=False)
    return Operator(operator, category, XNNPACK, mapped=True)


@functools.lru_cache(maxsize=4096)
def runtime_event(name: str) -> Operator:
    """Return what an event that no delegate recorded stands for: a kernel, or a container.

    Only kernels are operators. A range that a kernel or a program marked for itself lies
    inside one or between two of them, and must not count a second time: a container too.
    """
    if not name.startswith(NATIVE_PREFIX):
        return Operator(name, CONTAINER, "", mapped=name in CONTAINERS)
    kernel = name[len(NATIVE_PREFIX) :]
    category = _KERNEL_CATEGORY.get(kernel) or _KERNEL_CATEGORY.get(kernel.rpartition(".")[0])
    return Operator(kernel, category or OTHER, PORTABLE, mapped=category is not None)


def classify(name: str, delegated: bool) -> Operator:
    """Return what the event `name` stands for; `delegated` says whether a delegate recorded it."""
    return delegated_operator(name) if delegated else runtime_event(name)


def kind(name: str) -> str:
    """Return `name` without what two runs of the same program may differ in.

    SME2 changes the element types of an operator ("F32" to "PF32", "QC8" to "PQS8, QS8, QC8W"),
    and as a delegate counts operators by their full name, the ordinals with them.
    """
    bare = _ORDINAL.sub("", name)
    match = _XNNPACK_NAME.match(bare)
    return f"{match['operator']} ({match['layout']}){match['microkernel'] or ''}" if match else bare


def unmapped(names: Iterable[tuple[str, bool]]) -> list[str]:
    """Return the names, of (name, delegated) pairs, that the table lacks; sorted."""
    return sorted(
        {classify(name, delegated).operator for name, delegated in names if not classify(name, delegated).mapped}
    )
