# SPDX-License-Identifier: Apache-2.0
"""The three data types a model can be exported in, and what changes type in each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from model_profiling.errors import UserError, nearest

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Limit:
    """How far a `.pte` may be from the eager float32 model and still count as the same model.

    `max_rel_error` is the largest difference over the largest magnitude of the reference output;
    `min_cosine` the cosine similarity of the whole output.
    """

    max_rel_error: float
    min_cosine: float

    def to_json(self) -> dict[str, float]:
        return {"max_rel_error": self.max_rel_error, "min_cosine": self.min_cosine}


# float32: other summation orders only; kit models stay below 3e-6. float16: 11 bits of mantissa,
# rounded in every layer; kit models stay below 5e-3. int8: 8 bits for each activation; an untrained
# MobileNetV3-Small reaches 0.076 and a cosine of 0.998. The limits leave depth for larger models and
# still fail for what goes wrong in practice: a dropped bias, a wrong axis, a zeroed or saturated output.
LIMITS = {
    "fp32": Limit(max_rel_error=1e-3, min_cosine=0.9999),
    "fp16": Limit(max_rel_error=5e-2, min_cosine=0.999),
    "int8": Limit(max_rel_error=5e-1, min_cosine=0.95),
}
DTYPES = tuple(LIMITS)
DEFAULT_DTYPE = "fp16"


def check_dtype(name: str) -> str:
    """Return `name` if it is one of `DTYPES`, else raise a `UserError` with the nearest."""
    if name not in LIMITS:
        raise UserError(
            f"there is no dtype {name!r}{nearest(name, LIMITS)}", "in --dtype", f"use one of {', '.join(LIMITS)}"
        )
    return name


def cast_module(module: torch.nn.Module, dtype: str) -> torch.nn.Module:
    """Cast floating-point parameters and buffers in place; integer ones keep their type."""
    return module.to(_float_type(dtype))


def cast_inputs(inputs: object, dtype: str) -> object:
    """Return `inputs`, any nesting of tensors, with the floating-point ones cast."""
    import torch
    from torch.utils import _pytree as pytree

    target = _float_type(dtype)
    return pytree.tree_map_only(
        torch.Tensor, lambda tensor: tensor.to(target) if tensor.is_floating_point() else tensor, inputs
    )


def _float_type(dtype: str) -> torch.dtype:
    """Return the floating-point type a `.pte` of `dtype` takes; int8 ones quantize float32 themselves."""
    import torch

    return torch.float16 if dtype == "fp16" else torch.float32
