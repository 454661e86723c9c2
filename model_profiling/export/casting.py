# SPDX-License-Identifier: Apache-2.0
"""Casting a module and its inputs to the floating-point type of a recipe."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from model_profiling.export.recipes import find_recipe

if TYPE_CHECKING:
    import torch

_Inputs = TypeVar("_Inputs")
_IMAGE_RANK = 4


def cast_module(module: torch.nn.Module, dtype: str) -> torch.nn.Module:
    """Cast floating-point parameters and buffers in place; integer ones keep their type.

    All become contiguous: XNNPACK's passes look at the weights' strides (`channels_last` ones made them fail in
    ExecuTorch 1.5.1), and results do not depend on them.
    """
    import torch

    module = module.to(float_type(dtype))
    for value in (*module.parameters(), *module.buffers()):
        if type(value.data) is torch.Tensor and not value.is_contiguous():
            value.data = value.data.contiguous()
    return module


def cast_inputs(inputs: _Inputs, dtype: str) -> _Inputs:
    """Return a copy of `inputs`, any nesting of tensors, with the floating-point ones cast.

    Images that lie in memory channels last stay so. Everything else (transposed, sliced, expanded) becomes
    contiguous: ExecuTorch's bindings take nothing else.
    """
    import torch
    from torch.utils import _pytree as pytree

    target = float_type(dtype)

    def cast_one(tensor: torch.Tensor) -> torch.Tensor:
        last = tensor.dim() == _IMAGE_RANK and tensor.is_contiguous(memory_format=torch.channels_last)
        kept = torch.preserve_format if last else torch.contiguous_format
        return (tensor.to(target) if tensor.is_floating_point() else tensor).clone(memory_format=kept)

    cast: _Inputs = pytree.tree_map_only(torch.Tensor, cast_one, inputs)
    return cast


def in_order_of(value: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """Return a copy of `value` whose dimensions lie in memory in the order of `like`'s."""
    import torch

    order = like.dim_order()
    back = sorted(range(len(order)), key=order.__getitem__)
    return value.permute(order).clone(memory_format=torch.contiguous_format).permute(back)


def float_type(dtype: str) -> torch.dtype:
    """Return the type that a recipe's floating-point weights and inputs have."""
    import torch

    floating: torch.dtype = getattr(torch, find_recipe(dtype).floating)
    return floating
