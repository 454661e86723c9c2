# SPDX-License-Identifier: Apache-2.0
"""From a model's class to what an export needs: a checked module and checked inputs."""

from __future__ import annotations

import copy
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from model_profiling.errors import UserError
from model_profiling.models import evaluation, input_ranges, methods, registry, weights
from model_profiling.models.contract import FORWARD, DynamicShapes
from model_profiling.models.evaluation import Evaluation
from model_profiling.models.foreign_code import ForeignCode
from model_profiling.models.input_ranges import InputRange

if TYPE_CHECKING:
    import torch

SEED = 0  # what an untrained model or random example inputs of someone else's start from
NAME_LIMIT = 180  # bytes; file systems allow 255 and the file's name has more in it than the model's
#: Parts of the names of classes that do something else while training; others do not care for the mode.
_TRAINED = ("Dropout", "BatchNorm", "InstanceNorm", "RReLU")
#: What beside tensors `forward` may take: it is fixed in the program at the example's value.
FIXED_TYPES = (bool, int, float, str, type(None))
_NOT_A_NAME = re.compile(r"[/\\\x00-\x1f\x7f-\x9f]|^\.|^-|^\s*$")


@dataclass(frozen=True)
class LoadedModel:
    """A model, or one of its methods, ready for export.

    `example_inputs` are positional, `example_kwargs` by name; both hold tensors, and numbers or None among them.
    `calibration_inputs` holds at least the example inputs; `dynamic_shapes` as `torch.export` takes them, or None.
    `training_layers` are those that would do something else in the mode in which the model came. `parameters` counts
    those of all its methods, shared ones once. `input_ranges` are the least and greatest value that each tensor among
    the inputs may have, None where the model does not say; `tokens` is how many an execution computes, or the name of
    the dimension that says so. `evaluation` is what the model judges itself by, None where it has nothing.
    """

    name: str
    source: str
    location: Path
    module: torch.nn.Module
    example_inputs: tuple[object, ...]
    calibration_inputs: tuple[tuple[object, ...], ...]
    example_kwargs: dict[str, object] = field(default_factory=dict)
    dynamic_shapes: DynamicShapes = None
    training_layers: tuple[str, ...] = ()
    method: str = FORWARD
    parameters: int = 0
    input_ranges: tuple[InputRange | None, ...] = ()
    tokens: int | str | None = None
    evaluation: Evaluation | None = None

    @property
    def label(self) -> str:
        """What messages call it: its name, and the method where that is not the only one."""
        return self.name if self.method == FORWARD else f"{self.name} ({self.method})"


def load(name: str | None, file: Path | None, weights_file: Path | None = None, method: str = "") -> LoadedModel:
    """Import the model called `name`, or the one in `file`, and build it: its only method, or the one called `method`.

    Raises
    ------
    UserError : no such model, its code fails, or it does not keep the contract.
    """
    return load_methods(name, file, weights_file, (method,) if method else ())[0]


def load_methods(
    name: str | None, file: Path | None, weights_file: Path | None = None, only: Sequence[str] = ()
) -> tuple[LoadedModel, ...]:
    """Return every method of a model, or those in `only`; see `load`."""
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
        given = methods.ask(model)
    chosen = methods.choose(entry, methods.checked(entry, model, given), only)
    modules = {method: _module(entry, model, one, weights_file) for method, one in chosen.items()}
    parameters = methods.unique_parameters(modules.values())
    if len(modules) > 1:
        # Exporting one of them changes its module, which may be the other's too.
        modules = {method: copy.deepcopy(module) for method, module in modules.items()}
    return tuple(_loaded(entry, model, chosen[method], module, parameters) for method, module in modules.items())


def _module(
    entry: registry.ModelEntry, model: object, given: methods.GivenMethod, weights_file: Path | None
) -> torch.nn.Module:
    module: torch.nn.Module = given.module
    if weights_file is not None:
        module = _with_weights(model, module, weights_file)
    _check_module(entry, module, given.source)
    return module


def _loaded(
    entry: registry.ModelEntry, model: object, given: methods.GivenMethod, module: torch.nn.Module, parameters: int
) -> LoadedModel:
    with ForeignCode(
        f"getting the inputs of {entry.name}", "correct the model's input methods", location=entry.location
    ):
        example = given.example_inputs(model)
        calibration = given.of(model, "get_calibration_inputs") or [example]
        kwargs: dict[str, object] = given.of(model, "get_example_kwarg_inputs") or {}
        shapes = given.of(model, "get_dynamic_shapes")
        ranges, tokens = given.of(model, "get_input_ranges") or {}, given.of(model, "get_tokens")
    where = given.inputs_source
    example = checked_inputs(entry, example, where)
    samples = tuple(
        checked_inputs(entry, sample, f"get_calibration_inputs(){given.suffix}[{index}]", like=example)
        for index, sample in enumerate(calibration)
    )
    training = _training_layers(module)
    return LoadedModel(
        entry.name,
        entry.source,
        entry.location,
        module.eval(),
        example,
        samples,
        kwargs,
        shapes,
        training,
        given.method,
        parameters,
        input_ranges.checked(entry, module, (example, kwargs), ranges),
        tokens,
        evaluation.read(entry, model, given, lambda inputs, what: checked_inputs(entry, inputs, what, like=example)),
    )


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


def _check_module(entry: registry.ModelEntry, module: object, source: str) -> None:
    import torch

    if not isinstance(module, torch.nn.Module):
        raise UserError(
            f"{source} returned a {type(module).__name__}, not a torch.nn.Module",
            f"in {entry.location}",
            "return the module",
        )
    broken = [name for name, value in module.named_parameters() if _has_nan(value)]
    if broken:
        raise UserError(f"parameter {broken[0]} has NaNs", f"in model {entry.name}", "give it sound weights")


def _training_layers(module: torch.nn.Module) -> tuple[str, ...]:
    return tuple(
        f"{type(one).__name__} {name}".strip()
        for name, one in module.named_modules()
        if one.training and any(known in type(one).__name__ for known in _TRAINED)
    )


def _has_nan(value: torch.Tensor) -> bool:
    """Tell whether a plain tensor has NaNs; those of other classes (quantized weights) know few operators."""
    import torch

    plain = type(value) in (torch.Tensor, torch.nn.Parameter, torch.nn.Buffer)
    return plain and value.is_floating_point() and bool(value.isnan().any())


def checked_inputs(
    entry: registry.ModelEntry, inputs: object, method: str, like: tuple[object, ...] | None = None
) -> tuple[object, ...]:
    """Return inputs as a tuple; a `UserError` that names `method` where they are none, or have another form."""
    import torch
    from torch.utils import _pytree as pytree

    def reject(problem: str, fix: str) -> UserError:
        return UserError(f"{method} {problem}", f"in model {entry.name}", fix)

    if isinstance(inputs, torch.Tensor):
        raise reject("returned a bare tensor", "return a tuple of tensors: (tensor,)")
    if not isinstance(inputs, (tuple, list)):
        raise reject(f"returned a {type(inputs).__name__}", "return a tuple of tensors")
    leaves = pytree.tree_leaves([value for value in inputs if not isinstance(value, FIXED_TYPES)])
    odd = [leaf for leaf in leaves if not isinstance(leaf, torch.Tensor)]
    if odd:
        raise reject(f"holds a {type(odd[0]).__name__} instead of a tensor", "give tensors only")
    if any(map(_has_nan, leaves)):
        raise reject("holds NaNs", "give finite values")
    if like is not None:
        expected, given = ([_form(leaf) for leaf in pytree.tree_leaves(one)] for one in (like, tuple(inputs)))
        if given != expected:
            raise reject("differs from the example inputs in dtype, rank or a number", "give samples of the same form")
    return tuple(inputs)


def _form(leaf: object) -> object:
    """Return what samples must have in common: a tensor's type and rank, the value of anything else."""
    import torch

    return (leaf.dtype, leaf.dim()) if isinstance(leaf, torch.Tensor) else leaf
