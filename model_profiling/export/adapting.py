# SPDX-License-Identifier: Apache-2.0
"""Making a program of models whose inputs and results are more than tensors: numbers, None, objects of tensors.

A program takes and gives tensors. What else a model's `forward` takes is fixed at the example's value; what else it
returns is left out, and objects that hold tensors are opened. The module stays the user's own: only its class
gets a `forward` around the one it has, so that paths, lines and weights keep their names.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from model_profiling.models.loading import FIXED_TYPES, LoadedModel

if TYPE_CHECKING:
    import torch

    from model_profiling.models.contract import DynamicShapes


def adapted(model: LoadedModel) -> tuple[LoadedModel, dict[str, object]]:
    """Return `model` with tensors as its only inputs, in the program's order, and what was fixed, by name."""
    kwargs = in_order_of_forward(model.module, model.example_kwargs)
    fixed = fix_numbers(model.module, model.example_inputs, kwargs)
    inputs_of_tensors = replace(
        model,
        example_inputs=without_fixed(model.example_inputs),
        calibration_inputs=tuple(map(without_fixed, model.calibration_inputs)),
        example_kwargs={name: value for name, value in kwargs.items() if name not in fixed},
        dynamic_shapes=shapes_left(model.dynamic_shapes, model.example_inputs, fixed),
    )
    return inputs_of_tensors, fixed


def fix_numbers(module: torch.nn.Module, inputs: tuple[object, ...], kwargs: Mapping[str, object]) -> dict[str, object]:
    """Have `module` take its tensors only; return what was fixed by the argument's name, nothing where all are tensors.

    Parameters
    ----------
    inputs, kwargs : example inputs; `without_fixed` gives those that are left.
    """
    positional: dict[int, object] = {
        number: value for number, value in enumerate(inputs) if isinstance(value, FIXED_TYPES)
    }
    named: dict[str, object] = {name: value for name, value in kwargs.items() if isinstance(value, FIXED_TYPES)}
    if not positional and not named:
        return {}
    signature = inspect.signature(module.forward)
    names = _positional_names(signature, len(inputs))

    def forward(inner: Callable[..., object], *args: object, **given: object) -> object:
        left = iter(args)
        whole = [positional[number] if number in positional else next(left) for number in range(len(inputs))]
        return inner(*whole, **given, **named)

    fixed = {names[number]: value for number, value in positional.items()} | named
    parameters = [one for name, one in signature.parameters.items() if name not in fixed]
    _wrap(module, forward, signature.replace(parameters=parameters))
    return fixed


def shapes_left(shapes: DynamicShapes, inputs: tuple[object, ...], fixed: Mapping[str, object]) -> DynamicShapes:
    """Return the dynamic shapes of the inputs that `fix_numbers` left."""
    if isinstance(shapes, dict):
        return {name: shape for name, shape in shapes.items() if name not in fixed}
    if isinstance(shapes, (tuple, list)) and len(shapes) == len(inputs):
        return tuple(shape for shape, value in zip(shapes, inputs, strict=True) if not isinstance(value, FIXED_TYPES))
    return shapes


def in_order_of_forward(module: torch.nn.Module, kwargs: Mapping[str, object]) -> dict[str, object]:
    """Return inputs by name in the order of `forward`'s arguments, which is the order of a program's inputs."""
    order = [name for name in inspect.signature(module.forward).parameters if name in kwargs]
    return {name: kwargs[name] for name in (*order, *(name for name in kwargs if name not in order))}


def without_fixed(inputs: tuple[object, ...]) -> tuple[object, ...]:
    """Return the inputs that stay inputs of the program."""
    return tuple(value for value in inputs if not isinstance(value, FIXED_TYPES))


def give_tensors(module: torch.nn.Module) -> None:
    """Have `module` return a tuple of the tensors among its results, in their order."""

    def forward(inner: Callable[..., object], *args: object, **given: object) -> object:
        import torch

        return tuple(leaf for leaf in leaves_of(inner(*args, **given)) if isinstance(leaf, torch.Tensor))

    _wrap(module, forward, inspect.signature(module.forward))


def leaves_of(value: object) -> Iterator[object]:
    """Yield what a model's result is made of: containers, named tuples and dataclasses of any class are opened."""
    if isinstance(value, Mapping):
        inner = list(value.values())
    elif isinstance(value, (tuple, list)):
        inner = list(value)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        inner = [getattr(value, field.name) for field in dataclasses.fields(value)]
    else:
        yield value
        return
    for one in inner:
        yield from leaves_of(one)


def is_plain(value: object) -> bool:
    """Whether a result is of tensors in Python's own tuples, lists and dicts: as a program can give it back."""
    import torch

    if type(value) in (tuple, list):
        return all(map(is_plain, value))  # type: ignore[call-overload]  # iterable by the line before
    if type(value) is dict:
        return all(map(is_plain, value.values()))
    return isinstance(value, torch.Tensor)


def _positional_names(signature: inspect.Signature, count: int) -> list[str]:
    """Return the names of the first `count` arguments, those that a ``*args`` takes by their numbers."""
    known = [
        name
        for name, one in signature.parameters.items()
        if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)
    ]
    return [known[number] if number < len(known) else f"input {number}" for number in range(count)]


def _wrap(module: torch.nn.Module, around: Callable[..., object], signature: inspect.Signature) -> None:
    """Give `module` a class of its own whose forward is `around` the present one; copies of the module keep it."""
    present = type(module)
    own = vars(module).pop("forward", None)  # set on the module itself, by hooks of libraries

    def forward(self: torch.nn.Module, *args: object, **given: object) -> object:
        def inner(*whole: object, **named: object) -> object:
            return own(*whole, **named) if own is not None else present.forward(self, *whole, **named)

        return around(inner, *args, **given)

    of_class = [inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD), *signature.parameters.values()]
    forward.__signature__ = signature.replace(parameters=of_class)  # type: ignore[attr-defined]  # functions may have it
    names = {"forward": forward, "__module__": present.__module__, "__qualname__": present.__qualname__}
    module.__class__ = type(present.__name__, (present,), names)
