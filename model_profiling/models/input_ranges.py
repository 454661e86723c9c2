# SPDX-License-Identifier: Apache-2.0
"""The values that a model says its inputs may have: a vocabulary, a mask's two numbers."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from model_profiling.errors import UserError, nearest
from model_profiling.models.registry import ModelEntry

if TYPE_CHECKING:
    import torch

#: The least and the greatest value of an input.
InputRange = tuple[float, float]
_METHOD = "get_input_ranges()"


def checked(
    entry: ModelEntry,
    module: torch.nn.Module,
    inputs: tuple[tuple[object, ...], Mapping[str, object]],
    ranges: Mapping[str, Any],
) -> tuple[InputRange | None, ...]:
    """Return the range of each tensor among the inputs, in the program's order, None where the model says nothing.

    Raises
    ------
    UserError : a range is of no input, is none, or the example's own values lie outside.
    """
    if not ranges:
        return ()
    import torch
    from torch.utils import _pytree as pytree

    example, kwargs = inputs
    named = {**dict(zip(_arguments(module, kwargs), example, strict=False)), **kwargs}
    for name in ranges:
        if name not in named:
            raise _refused(entry, f"names {name!r}, which is no input{nearest(name, list(named))}")
    found: list[InputRange | None] = []
    for name, value in named.items():
        limits = _range(entry, name, ranges[name]) if name in ranges else None
        for leaf in pytree.tree_leaves(value):
            if isinstance(leaf, torch.Tensor):
                _check_example(entry, name, leaf, limits)
                found.append(limits)
    return tuple(found)


def _arguments(module: torch.nn.Module, kwargs: Mapping[str, object]) -> list[str]:
    return [name for name in inspect.signature(module.forward).parameters if name not in kwargs]


def _range(entry: ModelEntry, name: str, given: Any) -> InputRange:
    numbers = isinstance(given, (tuple, list)) and [isinstance(one, (int, float)) for one in given] == [True, True]
    if not numbers or not given[0] <= given[1]:
        raise _refused(entry, f"gives {given!r} for {name}", "give (least, greatest)")
    return given[0], given[1]


def _check_example(entry: ModelEntry, name: str, value: torch.Tensor, limits: InputRange | None) -> None:
    if limits is None or not value.numel():
        return
    low, high = value.min().item(), value.max().item()
    if low < limits[0] or high > limits[1]:
        beyond = low if low < limits[0] else high
        raise _refused(
            entry, f"says {name} is from {limits[0]} to {limits[1]}, and the example has {beyond}", "correct one"
        )


def _refused(entry: ModelEntry, problem: str, fix: str = "name arguments of forward") -> UserError:
    return UserError(f"{_METHOD} {problem}", f"in model {entry.name}", fix)
