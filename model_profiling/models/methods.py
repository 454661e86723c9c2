# SPDX-License-Identifier: Apache-2.0
"""The methods of a model: its only one, or those of `get_methods()`, each with its module and inputs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from model_profiling.errors import UserError, nearest
from model_profiling.models.contract import FORWARD, METHODS_METHOD
from model_profiling.models.registry import ModelEntry

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class GivenMethod:
    """A method as the model's class gives it, its values unchecked.

    `several` tells whether it came from `get_methods()`, with its inputs: what the class gives for inputs then has an
    entry for each.
    """

    method: str
    module: Any
    inputs: Any
    several: bool

    @property
    def suffix(self) -> str:
        return f"[{self.method!r}]" if self.several else ""

    @property
    def source(self) -> str:
        """What gave the module, for messages."""
        return f"{METHODS_METHOD}(){self.suffix}" if self.several else "get_eager_model()"

    @property
    def inputs_source(self) -> str:
        """What gave the example inputs, for messages."""
        return self.source if self.several else "get_example_inputs()"

    def example_inputs(self, model: Any) -> Any:
        return self.inputs if self.several else model.get_example_inputs()

    def of(self, model: object, name: str) -> Any:
        """Return what the class's method called `name` gives for this method; None where it gives nothing."""
        value = getattr(model, name, lambda: None)()
        if self.several and value is not None:
            return value.get(self.method)
        return value


def has_several(model: object) -> bool:
    """Tell whether a model's class gives its methods by name."""
    return callable(getattr(model, METHODS_METHOD, None))


def ask(model: Any) -> object:
    """Return what a model says are its methods: each one's (module, example inputs) by its name, unchecked."""
    return model.get_methods() if has_several(model) else {FORWARD: (model.get_eager_model(), None)}


def checked(entry: ModelEntry, model: object, given: object) -> Mapping[str, GivenMethod]:
    """Return what `ask` returned as methods, by names that a program can have; a `UserError` where it is none."""
    pairs = isinstance(given, Mapping) and all(isinstance(o, (tuple, list)) and len(o) == 2 for o in given.values())
    if not isinstance(given, Mapping) or not given or not pairs:
        shown = "nothing" if given == {} else f"a {type(given).__name__} of another form"
        raise UserError(
            f"{METHODS_METHOD}() returned {shown}",
            f"in {entry.location}",
            "return a dict: the name of each method with its (module, example inputs)",
        )
    odd = next((name for name in given if not isinstance(name, str) or not name.isidentifier()), None)
    if odd is not None:
        raise UserError(
            f"{METHODS_METHOD}() names a method {odd!r}", f"in {entry.location}", "use names as Python's functions have"
        )
    several = has_several(model)
    return {name: GivenMethod(name, module, inputs, several) for name, (module, inputs) in given.items()}


def choose(entry: ModelEntry, given: Mapping[str, GivenMethod], only: Sequence[str]) -> Mapping[str, GivenMethod]:
    """Return the methods called as in `only`, all where that is empty."""
    for name in only:
        if name not in given:
            raise UserError(
                f"{entry.name} has no method {name!r}{nearest(name, list(given))}",
                "in --method",
                f"name some of {', '.join(given)}",
            )
    return {name: one for name, one in given.items() if name in only} if only else given


def unique_parameters(modules: Iterable[torch.nn.Module]) -> int:
    """Return how many parameters the modules have together, those that they share counted once."""
    return sum({id(value): value.numel() for module in modules for value in module.parameters()}.values())
