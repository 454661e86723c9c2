# SPDX-License-Identifier: Apache-2.0
"""Casting a module and its inputs to the floating-point type of a recipe."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from model_profiling.export.recipes import find_recipe

if TYPE_CHECKING:
    import torch

_Inputs = TypeVar("_Inputs")


def cast_module(module: torch.nn.Module, dtype: str) -> torch.nn.Module:
    """Cast floating-point parameters and buffers in place; integer ones keep their type."""
    return module.to(_float_type(dtype))


def cast_inputs(inputs: _Inputs, dtype: str) -> _Inputs:
    """Return `inputs`, any nesting of tensors, with the floating-point ones cast."""
    import torch
    from torch.utils import _pytree as pytree

    target = _float_type(dtype)
    cast: _Inputs = pytree.tree_map_only(
        torch.Tensor, lambda tensor: tensor.to(target) if tensor.is_floating_point() else tensor, inputs
    )
    return cast


def _float_type(dtype: str) -> torch.dtype:
    import torch

    floating: torch.dtype = getattr(torch, find_recipe(dtype).floating)
    return floating
