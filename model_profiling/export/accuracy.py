# SPDX-License-Identifier: Apache-2.0
"""A model's own accuracy, of the eager model and of its program on the same data."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from model_profiling.export import adapting, casting, preparing
from model_profiling.models.foreign_code import ForeignCode
from model_profiling.models.loading import LoadedModel
from model_profiling.recorded_agreement import Accuracy

if TYPE_CHECKING:
    import torch

    #: Runs the program on a sample in the recipe's types.
    Run = Callable[[tuple[object, ...]], list[torch.Tensor]]


def measure(model: LoadedModel, program: Run, dtype: str) -> Accuracy | None:
    """Run both on every item of the model's data and let the model judge the outputs; None where it has none.

    Parameters
    ----------
    model : as it was loaded: it is made one of tensors in float32 here.

    Raises
    ------
    UserError : the data or the function fail, or give something else than the contract says.
    """
    evaluation = model.evaluation
    if evaluation is None:
        return None
    model, _ = preparing.in_float32(model)
    of_eager: list[tuple[torch.Tensor, ...]] = []
    of_program: list[tuple[torch.Tensor, ...]] = []
    labels: list[object] = []
    for inputs, label in evaluation.items():
        sample = casting.cast_inputs(adapting.without_fixed(inputs), "fp32")
        of_eager.append(_eagerly(model, sample))
        of_program.append(_in_float32(program(casting.cast_inputs(sample, dtype))))
        labels.append(label)
    if not labels:
        return None
    eager = evaluation.value(of_eager, labels, "the eager model")
    return Accuracy(eager, evaluation.value(of_program, labels, "the program"), len(labels), evaluation.limit)


def _eagerly(model: LoadedModel, sample: tuple[object, ...]) -> tuple[torch.Tensor, ...]:
    import torch

    fix = "correct the model or its evaluation_data()"
    with torch.no_grad(), ForeignCode(f"running {model.label} on its evaluation_data()", fix, module=model.module):
        # Copies: a model that writes into its input would change what the program is given.
        given = model.module(
            *casting.cast_inputs(sample, "fp32"), **casting.cast_inputs(dict(model.example_kwargs), "fp32")
        )
    return _in_float32([leaf.detach() for leaf in adapting.leaves_of(given) if isinstance(leaf, torch.Tensor)])


def _in_float32(outputs: list[torch.Tensor]) -> tuple[torch.Tensor, ...]:
    """Return outputs with floating-point ones in float32, as the model's function knows them."""
    return tuple(casting.cast_inputs(outputs, "fp32"))


def refusal(accuracy: Accuracy, dtype: str, model: str) -> str:
    """Return the sentence that says how much accuracy a program loses, with the limit."""
    return (
        f"{model} in {dtype} loses {accuracy.loss:.4g} of its accuracy (limit {accuracy.limit:g}): evaluate() gives "
        f"{accuracy.eager:.6g} for the eager model and {accuracy.program:.6g} for the program"
    )
