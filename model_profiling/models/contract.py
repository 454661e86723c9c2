# SPDX-License-Identifier: Apache-2.0
"""What a model package gives: an eager module, inputs to trace it with, inputs to calibrate with.

The contract is the one of ExecuTorch's own examples (`executorch.examples.models.model_base.
EagerModelBase`), taken by shape and not by inheritance: a class that subclasses theirs, ours, or
neither, is a model as soon as it has `get_eager_model()` and `get_example_inputs()`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

#: What `torch.export` takes as dynamic shapes.
DynamicShapes: TypeAlias = "dict[str, Any] | tuple[Any, ...] | list[Any] | None"

if TYPE_CHECKING:  # torch takes over a second to import; listing models must not pay it
    import torch

REQUIRED_METHODS = ("get_eager_model", "get_example_inputs")
#: What a model of several methods has in place of both.
METHODS_METHOD = "get_methods"
#: The method of a program that has one.
FORWARD = "forward"


class EagerModel(ABC):
    """Base class for models of the kit and of its users; a duck-typed class serves as well.

    Beside the two methods below, a model may have

    ``get_calibration_inputs() -> list[tuple[Tensor, ...]]``
        several input tuples for int8 calibration and the agreement check; without it the example
        inputs stand in.
    ``get_example_kwarg_inputs() -> dict`` and ``get_dynamic_shapes()``
        as ExecuTorch's examples have them.
    ``get_input_ranges() -> dict[str, tuple[low, high]]``
        the least and greatest value that an input may have, by its name in ``forward``: a vocabulary, say.
    ``get_tokens() -> int | str``
        how many tokens an execution computes, or the name of the dimension that says so: reports then tell tokens
        per second.
    ``evaluation_data() -> Iterable[tuple[inputs, labels]]`` and ``evaluate(outputs, labels) -> float``
        what the model is judged by: the export runs the eager model and the program on the inputs of every item, and
        gives the outputs of all (a list with a tuple of tensors an item) and all labels (a list) to `evaluate`, once
        for each of the two. More is better: return an error or a perplexity negated.
    ``accuracy_loss_limit: float``
        by how much the program's value may be below the eager model's, in the unit of `evaluate` itself (percentage
        points where that gives percent); it replaces the recipe's limit of agreement.
    ``load_weights(module, state_dict) -> nn.Module``
        puts a checkpoint into `module` and returns what is to be exported; without it every entry
        must match by name and shape.

    A model of several methods (`MethodsModel`) has ``get_methods()`` in place of the two below.
    """

    @abstractmethod
    def get_eager_model(self) -> torch.nn.Module:
        """Return the module in float32 and eval mode, with the same weights every time."""

    @abstractmethod
    def get_example_inputs(self) -> tuple[torch.Tensor, ...]:
        """Return one tuple of positional inputs, the same every time."""


class MethodsModel(ABC):
    """Base class for models of several methods, exported into one `.pte` with shared weights.

    Of the other methods of `EagerModel` it may have the same ones; those that return something for the inputs
    (all whose names begin with ``get_``, and ``evaluation_data``) then return a dict with an entry for each method
    that has any.
    ``load_weights`` is called for each method's module, and ``evaluate`` for each method with data;
    ``accuracy_loss_limit`` may be a dict too.
    """

    @abstractmethod
    def get_methods(self) -> dict[str, tuple[torch.nn.Module, tuple[torch.Tensor, ...]]]:
        """Return each method's module, in float32 and eval mode, with its example inputs, by the method's name."""


def missing_methods(candidate: type) -> list[str]:
    """Return which of the contract's required methods `candidate` does not implement."""
    abstract: frozenset[str] = getattr(candidate, "__abstractmethods__", frozenset())

    def lacks(name: str) -> bool:
        return not callable(getattr(candidate, name, None)) or name in abstract

    return [] if not lacks(METHODS_METHOD) else [name for name in REQUIRED_METHODS if lacks(name)]


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Run the body with PyTorch's random generator at `seed`, and put it back afterwards."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def uniform_images(shape: tuple[int, ...], count: int, seed: int) -> list[tuple[torch.Tensor, ...]]:
    """Return `count` one-image tuples with values in [0, 1), as an image scaled to that range."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    return [(torch.rand(shape, generator=generator),) for _ in range(count)]


def structured_images(shape: tuple[int, ...], count: int, seed: int) -> list[tuple[torch.Tensor, ...]]:
    """Return `count` one-image tuples with structure at every scale, as a normalized photograph has.

    White noise averages out in the first layers, so ranges calibrated on it are too narrow for
    photographs. These are sums of noise at 4, 16, 64, ... points a side, each scale equally strong
    (natural images have about equal energy in each octave; Field 1987), and every channel has zero
    mean and unit deviation: an untrained network has no defense against anything else.
    """
    import torch

    generator = torch.Generator().manual_seed(seed)
    sides = [4**step for step in range(1, 8) if 4**step < min(shape[-2:])]
    images: list[tuple[torch.Tensor, ...]] = []
    for _ in range(count):
        layers = [
            torch.nn.functional.interpolate(
                torch.randn(*shape[:-2], side, side, generator=generator),
                size=shape[-2:],
                mode="bilinear",
                align_corners=False,
            )
            for side in sides
        ]
        layers.append(torch.randn(shape, generator=generator))
        image = torch.stack(layers).sum(dim=0)
        deviation, mean = torch.std_mean(image, dim=(-2, -1), keepdim=True)
        images.append(((image - mean) / deviation,))
    return images
