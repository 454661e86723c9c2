# SPDX-License-Identifier: Apache-2.0
"""What the compilers' errors mean for the author of a model, and what to change. Data, and one look-up.

Every row is verified by a model that fails in that way (`test-cases/export/test_export_failures.py`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from model_profiling.export.delegation_hints import hint_for
from model_profiling.models.foreign_code import Advice, causes_of

if TYPE_CHECKING:
    from model_profiling.export.runtime_words import RuntimeWords
    from model_profiling.models.foreign_code import Place


@dataclass(frozen=True)
class FailureRow:
    """`pattern` is looked for in "Type: message" of an exception; `meaning` and `fix` are for its user."""

    pattern: str
    meaning: str
    fix: str


FAILURES = (
    FailureRow(
        r"PackedParamsBase",
        "the model was quantized in eager mode, whose layers have no export",
        "give the floating-point model: --dtype int8 quantizes it",
    ),
    FailureRow(
        r"Exporting a ScriptModule",
        "the model is TorchScript",
        "give the nn.Module that it was scripted or traced from",
    ),
    FailureRow(
        r"Unsupported dtype (Half|BFloat16)|not implemented for '(Half|BFloat16)'",
        "an operator there has no form for this type",
        "export in fp32, or compute that part outside the model",
    ),
    FailureRow(
        r"GuardOnDataDependent.*specialized integer",
        "a Python number or a size depends on a tensor's values",
        "keep it a tensor: no int(), .item() or slice bounds made from values; use a mask, or a constant size",
    ),
    FailureRow(
        r"GuardOnDataDependent\w+: [\w -]*expression (u\d+ ?[<>=!]|(Eq|Ne)\(u\d+, (?!1\)))",
        "the code branches on a size that depends on a tensor's values",
        "keep sizes fixed: torch.where or topk(k) with a constant k in place of nonzero() and boolean indexing",
    ),
    FailureRow(
        r"GuardOnDataDependent",
        "Python code (if, while, assert, float()) depends on a tensor's values",
        "compute both sides and choose with torch.where, drop the check, or decide outside the model",
    ),
    FailureRow(
        r"\.numpy\(\) is not supported|can't convert .* to numpy|numpy",
        "the model calls numpy",
        "use the torch function of the same name; what numpy must do belongs outside the model",
    ),
    FailureRow(
        r"FakeTensor\.__format__|tolist|unsupported format string",
        "the code formats or prints a tensor's values",
        "remove the print, or guard it with `if not torch.compiler.is_compiling():`",
    ),
    FailureRow(
        r"Unsupported input type",
        "an input is a Python object that torch.export does not take",
        "pass tensors: forward(image, scale), or a tuple or dict of tensors",
    ),
    FailureRow(
        r"UnsupportedOperatorException|no fake impl|fake (kernel|impl)|DynamicOutputShapeException",
        "the operator has no fake (shape-only) implementation",
        "add one with torch.library.register_fake, or write it with PyTorch's own operators",
    ),
    FailureRow(
        r"Constraints violated|mismatch between the structure of .inputs. and .dynamic_shapes|dynamic_shapes",
        "get_dynamic_shapes() does not fit the model or its inputs",
        "name only dimensions that may vary, for each input as in get_example_inputs(); or leave the method out",
    ),
    FailureRow(
        r"amax\.default only supports",
        "XNNPACK's partitioner fails on max over this dimension",
        "use torch.amax(x, dim, keepdim=True), or F.max_pool2d over height and width",
    ),
    FailureRow(
        r"constant data node \(\w+\) is tagged .* has user \(output\)",
        "the model returns one of its weights as it is",
        "return weight + 0, or leave it out: what does not depend on the input needs no program",
    ),
    FailureRow(
        r"Failed to map a given dim_order",
        "the shape of a tensor depends on another's values",
        "use masks or topk(k) in place of nonzero(), unique() and boolean indexing",
    ),
    FailureRow(
        r"required rank 4 tensor to use channels_last",
        "ExecuTorch's lowering fails at a convolution whose activations are quantized while the model runs",
        "use --dtype 8da4w or int8, which quantize convolutions otherwise",
    ),
    FailureRow(
        r"shapes? cannot be multiplied|must have same reduction dim|size of tensor|expected input|"
        r"size mismatch|must match|Expected \d-D|channels",
        "the shapes of the model do not fit each other or its inputs",
        "correct the layer or get_example_inputs()",
    ),
)

#: What the runtime's own words mean for the author of a model.
RUNTIME = (
    FailureRow(
        r"Expect input tensor to be 3-D or 4-D",
        "ExecuTorch has no kernel for 3-D convolution",
        "fold a dimension into the batch or the channels and use Conv2d",
    ),
    FailureRow(
        r"[Ff]ailed to create .*convolution",
        "XNNPACK refuses this convolution",
        "change its padding, stride or dilation; --backend portable runs it without XNNPACK",
    ),
    FailureRow(
        r"Propagating input shapes failed",
        "XNNPACK refuses the shapes of a layer, as of a convolution in 8da8w",
        "use another --dtype, such as 8da4w or int8",
    ),
    FailureRow(
        r"Attempted to resize a static tensor",
        "XNNPACK gives a result of another shape than the program was made for, as of a layer whose result the model "
        "also returns",
        "return it computed once more (result + 0), or export with --backend portable",
    ),
)

_OTHERWISE = "make the model exportable there (no data-dependent control flow, fixed shapes, tensors only)"


def explain_capture(raised: BaseException, place: Place) -> Advice:
    """Return what a failure of ``torch.export`` means."""
    return _explain(raised) or Advice("", _OTHERWISE)


def explain_lowering(raised: BaseException, place: Place) -> Advice:
    """Return what a failure of lowering means; `place.operator` is the one that it stopped at."""
    known = hint_for(place.operator) if place.operator else ""
    return _explain(raised) or Advice("", known or "change the model there, or export with --backend portable")


def explain_running(words: RuntimeWords) -> Advice:
    """Return what a failure of the program means, in the runtime's own words where it logged any."""
    known = next((row for row in RUNTIME if re.search(row.pattern, words.cause)), None)
    said = f"the runtime says: {words.cause}" if words.cause else ""
    if known:
        return Advice(f"{known.meaning}; {said}", known.fix)
    return Advice(said, "--explain shows what runs outside XNNPACK; --verbose shows the runtime's whole log")


def _explain(raised: BaseException) -> Advice | None:
    text = " ".join(f"{type(one).__name__}: {' '.join(str(one).split())}" for one in causes_of(raised))
    return next((Advice(row.meaning, row.fix) for row in FAILURES if re.search(row.pattern, text)), None)
