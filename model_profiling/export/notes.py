# SPDX-License-Identifier: Apache-2.0
"""What an export did to a model without being asked: said with the result, and kept in its record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from model_profiling.export.matrix_layers import FLOAT16, FLOAT32
from model_profiling.wording import count

if TYPE_CHECKING:
    import torch

    from model_profiling.export.matrix_layers import ExportedLayer


def of_types(module: torch.nn.Module, samples: object, target: torch.dtype) -> list[str]:
    """Return a note where weights or inputs are of another floating-point type than `target`, which they become."""
    import torch
    from torch.utils import _pytree as pytree

    weights = [*module.parameters(), *module.buffers()]
    inputs = [leaf for leaf in pytree.tree_leaves(samples) if isinstance(leaf, torch.Tensor)]
    others: dict[str, list[str]] = {}
    for what, values in (("weights", weights), ("inputs", inputs)):
        for name in sorted({str(one.dtype).removeprefix("torch.") for one in values if _is_other(one.dtype, target)}):
            others.setdefault(name, []).append(what)
    taken = str(target).removeprefix("torch.")
    return [
        f"the model's {' and '.join(what)} are {name}: taken as {taken} before anything else"
        for name, what in others.items()
    ]


def _is_other(dtype: torch.dtype, target: torch.dtype) -> bool:
    return dtype.is_floating_point and dtype != target


def of_mode(layers: Sequence[str]) -> list[str]:
    """Return a note for layers that came in training mode, which the export sets off."""
    if not layers:
        return []
    more = f" and {count(len(layers) - 1, 'other layer')}" if len(layers) > 1 else ""
    return [f"the model is in training mode ({layers[0]}{more}): exported as after model.eval()"]


def of_calibration(samples: Sequence[object]) -> list[str]:
    """Return a note where a static range is all that one input showed."""
    if len(samples) != 1:
        return []
    return [
        "calibrated on one input alone, so its ranges and its agreement say little of others: "
        "add get_calibration_inputs()"
    ]


def of_fixed(fixed: Mapping[str, object]) -> list[str]:
    """Return a note for inputs that are no tensors."""
    if not fixed:
        return []
    given = ", ".join(f"{name}={value!r}" for name, value in fixed.items())
    return [f"inputs that are no tensors are fixed in the program: {given}"]


def of_results(left_out: Sequence[str]) -> list[str]:
    """Return a note for results that are no tensors, given by the names of their types."""
    if not left_out:
        return []
    return [f"results that are no tensors are left out of the program: {', '.join(left_out)}"]


def of_quantized(layers: Sequence[ExportedLayer]) -> list[str]:
    """Return a note where a recipe that quantizes left matrix layers in floating point."""
    plain = [layer for layer in layers if layer.numbers in (FLOAT32, FLOAT16)]
    if not plain or not layers:
        return []
    kinds = ", ".join(dict.fromkeys(layer.kind for layer in plain))
    total = count(len(layers), "matrix layer")
    return [f"{len(layers) - len(plain)} of {total} are quantized; the others ({kinds}) stay in {plain[0].numbers}"]


def of_state(names: Sequence[str]) -> list[str]:
    """Return a note for buffers that each execution changes."""
    if not names:
        return []
    shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return [f"the model keeps state from one execution to the next ({shown}): every launch starts it anew"]
