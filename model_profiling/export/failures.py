# SPDX-License-Identifier: Apache-2.0
"""What the compilers' errors mean for the author of a model, and what to change. Data, and one look-up.

Every row is verified by a model that fails in that way (`test-cases/export/test_export_failures.py`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from model_profiling.export.delegation_hints import hint_for
from model_profiling.models.foreign_code import Advice

if TYPE_CHECKING:
    from model_profiling.models.foreign_code import Place


@dataclass(frozen=True)
class FailureRow:
    """`pattern` is looked for in "Type: message" of an exception; `meaning` and `fix` are for its user."""

    pattern: str
    meaning: str
    fix: str


FAILURES = (
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
        r"Failed to map a given dim_order",
        "the shape of a tensor depends on another's values",
        "use masks or topk(k) in place of nonzero(), unique() and boolean indexing",
    ),
    FailureRow(
        r"shapes? cannot be multiplied|must have same reduction dim|size of tensor|expected input|"
        r"size mismatch|must match|Expected \d-D|channels",
        "the shapes of the model do not fit each other or its inputs",
        "correct the layer or get_example_inputs()",
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


def _explain(raised: BaseException) -> Advice | None:
    text = f"{type(raised).__name__}: {' '.join(str(raised).split())}"
    return next((Advice(row.meaning, row.fix) for row in FAILURES if re.search(row.pattern, text)), None)
