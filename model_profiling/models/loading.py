# SPDX-License-Identifier: Apache-2.0
"""From a model's class to what an export needs: a checked module and checked inputs."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from model_profiling.errors import UserError
from model_profiling.models import registry, weights
from model_profiling.models.contract import DynamicShapes
from model_profiling.models.foreign_code import ForeignCode

if TYPE_CHECKING:
    import torch

SEED = 0  # what an untrained model or random example inputs of someone else's start from
NAME_LIMIT = 180  # bytes; file systems allow 255 and the file's name has more in it than the model's
_NOT_A_NAME = re.compile(r"[/\\\x00-\x1f\x7f-\x9f]|^\.|^-|^\s*$")


@dataclass(frozen=True)
class LoadedModel:
    """A model ready for export.

    `example_inputs` are positional, `example_kwargs` by name; `calibration_inputs` holds at least
    the example inputs; `dynamic_shapes` as `torch.export` takes them, or None.
    """

    name: str
    source: str
    location: Path
    module: torch.nn.Module
    example_inputs: tuple[object, ...]
    calibration_inputs: tuple[tuple[object, ...], ...]
    example_kwargs: dict[str, object] = field(default_factory=dict)
    dynamic_shapes: DynamicShapes = None


def load(name: str | None, file: Path | None, weights_file: Path | None = None) -> LoadedModel:
    """Import the model called `name`, or the one in `file`, and build it.

    Raises
    ------
    UserError : no such model, its code fails, or it does not keep the contract.
    """
    if file is not None:
        entry, model_class = registry.entry_for_file(file, name)
    else:
        entry = registry.find(name or "")
        model_class = registry.resolve(entry)
    _check_name(entry.name)
    _seed_everything()
    with ForeignCode(
        f"building {entry.name}",
        "correct the model, install what it needs, or go online if it downloads weights",
        location=entry.location,
    ):
        model = model_class()
        module = model.get_eager_model()
    if weights_file is not None:
        module = _with_weights(model, module, weights_file)
    _check_module(entry, module)
    with ForeignCode(
        f"getting the inputs of {entry.name}", "correct the model's input methods", location=entry.location
    ):
        example = model.get_example_inputs()
        calibration = getattr(model, "get_calibration_inputs", list)() or [example]
        kwargs: dict[str, object] = getattr(model, "get_example_kwarg_inputs", dict)() or {}
        shapes = getattr(model, "get_dynamic_shapes", lambda: None)()
    example = _checked_inputs(entry, example, "get_example_inputs()")
    samples = tuple(
        _checked_inputs(entry, sample, f"get_calibration_inputs()[{index}]", like=example)
        for index, sample in enumerate(calibration)
    )
    return LoadedModel(entry.name, entry.source, entry.location, module.eval(), example, samples, kwargs, shapes)


def _check_name(name: str) -> None:
    if _NOT_A_NAME.search(name) or len(name.encode("utf-8", "replace")) > NAME_LIMIT:
        raise UserError(
            f"the model's name {name!r} cannot be part of a file's name",
            "in its register() call",
            f"use up to {NAME_LIMIT} bytes without slashes, control characters or a leading dot or dash",
        )


def _seed_everything() -> None:
    import numpy as np
    import torch

    random.seed(SEED)
    np.random.seed(SEED)
    torch.manual_seed(SEED)


def _with_weights(model: object, module: torch.nn.Module, path: Path) -> torch.nn.Module:
    state = weights.read_checkpoint(path)
    adapt = getattr(model, "load_weights", None)
    if adapt is None:
        return weights.load_strictly(module, state, path)
    with ForeignCode(f"loading {path.name}", "give the checkpoint this model is made for", location=path):
        adapted: torch.nn.Module = adapt(module, state)  # checked as every module is
        return adapted


def _check_module(entry: registry.ModelEntry, module: object) -> None:
    import torch

    if not isinstance(module, torch.nn.Module):
        raise UserError(
            f"get_eager_model() returned a {type(module).__name__}, not a torch.nn.Module",
            f"in {entry.location}",
            "return the module",
        )
    broken = [name for name, value in module.named_parameters() if value.is_floating_point() and value.isnan().any()]
    if broken:
        raise UserError(f"parameter {broken[0]} has NaNs", f"in model {entry.name}", "give it sound weights")


def _checked_inputs(
    entry: registry.ModelEntry, inputs: object, method: str, like: tuple[object, ...] | None = None
) -> tuple[object, ...]:
    import torch
    from torch.utils import _pytree as pytree

    def reject(problem: str, fix: str) -> UserError:
        return UserError(f"{method} {problem}", f"in model {entry.name}", fix)

    if isinstance(inputs, torch.Tensor):
        raise reject("returned a bare tensor", "return a tuple of tensors: (tensor,)")
    if not isinstance(inputs, (tuple, list)):
        raise reject(f"returned a {type(inputs).__name__}", "return a tuple of tensors")
    leaves = pytree.tree_leaves(tuple(inputs))
    odd = next((leaf for leaf in leaves if not isinstance(leaf, torch.Tensor)), None)
    if odd is not None or any(leaf is None for leaf in leaves):
        raise reject(f"holds a {type(odd).__name__} instead of a tensor", "give tensors only")
    if any(leaf.is_floating_point() and leaf.isnan().any() for leaf in leaves):
        raise reject("holds NaNs", "give finite values")
    if like is not None:
        expected = [(leaf.dtype, leaf.dim()) for leaf in pytree.tree_leaves(like)]
        if [(leaf.dtype, leaf.dim()) for leaf in leaves] != expected:
            raise reject("differs in dtype or rank from the example inputs", "give samples of the same form")
    return tuple(inputs)
