# SPDX-License-Identifier: Apache-2.0
"""What a model judges itself by: its data with labels, its function of outputs and labels, and how much may be lost."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from model_profiling.errors import UserError
from model_profiling.models.foreign_code import ForeignCode
from model_profiling.models.methods import GivenMethod
from model_profiling.models.registry import ModelEntry

if TYPE_CHECKING:
    import torch

DATA, FUNCTION, LIMIT = "evaluation_data", "evaluate", "accuracy_loss_limit"
#: What inputs and labels come as.
_PAIR = 2
_FORM = "yield (inputs, labels): a tuple of tensors as get_example_inputs() gives, and anything"


@dataclass(frozen=True)
class Evaluation:
    """The parts of a model that judge it, for one method; `limit` is the loss allowed, None where none is said."""

    entry: ModelEntry
    function: Callable[[Sequence[tuple[torch.Tensor, ...]], Sequence[object]], object]
    model: object
    given: GivenMethod
    limit: float | None
    check: Callable[[object, str], tuple[object, ...]]

    @property
    def where(self) -> str:
        return f"in model {self.entry.name}"

    def items(self) -> Iterator[tuple[tuple[object, ...], object]]:
        """Yield checked inputs with their labels; nothing where a model of several methods has none for this one.

        Raises
        ------
        UserError : the data fail, are empty, or hold something else.
        """
        with self._getting(f"{DATA}()"):
            data = self.data()
            if data is None and self.given.several:
                return
            iterator = iter(data) if isinstance(data, Iterable) else None
        if iterator is None:
            raise UserError(f"{DATA}() returned a {type(data).__name__}", self.where, _FORM)
        number = 0
        while True:
            with self._getting(f"item {number} of {DATA}()"):
                item: object = next(iterator, _END)
            if item is _END:
                break
            if not isinstance(item, (tuple, list)) or len(item) != _PAIR:
                raise UserError(f"item {number} of {DATA}() is no pair of inputs and labels", self.where, _FORM)
            yield self.check(item[0], f"{DATA}()[{number}]"), item[1]
            number += 1
        if number == 0:
            raise UserError(f"{DATA}() has no items", self.where, _FORM)

    def data(self) -> object:
        """Return what the model has for this method, unchecked; called once for an export, as it may read files."""
        return self.given.of(self.model, DATA)

    def _getting(self, what: str) -> ForeignCode:
        return ForeignCode(f"getting {what} of {self.entry.name}", f"correct {DATA}()", location=self.entry.location)

    def value(self, outputs: Sequence[tuple[torch.Tensor, ...]], labels: Sequence[object], of: str) -> float:
        """Return what the model's function says of outputs; `of` names whose they are.

        Raises
        ------
        UserError : the function fails, or gives no finite number.
        """
        with ForeignCode(
            f"{FUNCTION}() of {self.entry.name} on the outputs of {of}",
            f"correct {FUNCTION}(outputs, labels): lists with an entry for each item of {DATA}()",
            location=self.entry.location,
        ):
            given: Any = self.function(list(outputs), list(labels))
            single = getattr(given, "numel", lambda: getattr(given, "size", 0))() == 1
            value = given.item() if single and hasattr(given, "item") else given
        if isinstance(value, bool) or not isinstance(value, numbers.Real):
            raise UserError(
                f"{FUNCTION}() returned a {type(value).__name__} for {of}",
                self.where,
                "return one number, more is better",
            )
        if not math.isfinite(value):
            raise UserError(
                f"{FUNCTION}() returned {float(value)} for {of}",
                self.where,
                "return a finite number, and look at the outputs where they are not finite",
            )
        return float(value)


_END = object()


def read(
    entry: ModelEntry, model: object, given: GivenMethod, check: Callable[[object, str], tuple[object, ...]]
) -> Evaluation | None:
    """Return what `model` says of its own accuracy for a method, None where it says nothing.

    Parameters
    ----------
    check : returns the inputs of an item as a tuple, or raises; it is given them and what to call them.

    Raises
    ------
    UserError : one part is there without the other, or the limit is no number.
    """
    limit = getattr(model, LIMIT, None)
    limit = limit.get(given.method) if given.several and isinstance(limit, Mapping) else limit
    function, has_data = getattr(model, FUNCTION, None), callable(getattr(model, DATA, None))
    where = f"in model {entry.name}"
    if function is None and not has_data:
        if limit is not None:
            raise UserError(f"{LIMIT} limits nothing", where, f"add {DATA}() and {FUNCTION}(outputs, labels)")
        return None
    if not callable(function) or not has_data:
        lacking = DATA if callable(function) else FUNCTION
        raise UserError(f"it is evaluated without {lacking}()", where, f"add {DATA}() and {FUNCTION}(outputs, labels)")
    if limit is not None and (
        isinstance(limit, bool) or not isinstance(limit, numbers.Real) or not math.isfinite(limit) or limit < 0
    ):
        raise UserError(
            f"{LIMIT} is {limit!r}", where, f"give a number of 0 or more, in the unit that {FUNCTION}() returns"
        )
    return Evaluation(entry, function, model, given, None if limit is None else float(limit), check)
