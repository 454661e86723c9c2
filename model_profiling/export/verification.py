# SPDX-License-Identifier: Apache-2.0
"""Running the eager model and the exported program on the same inputs, and judging the difference."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from model_profiling import agreement
from model_profiling.errors import MeasurementError, UserError
from model_profiling.export import adapting
from model_profiling.export.casting import in_order_of
from model_profiling.export.failures import explain_running
from model_profiling.export.recipe import Limit, Recipe
from model_profiling.export.runtime_words import RuntimeWords, hearing
from model_profiling.models.contract import FORWARD
from model_profiling.models.foreign_code import ForeignCode
from model_profiling.models.loading import LoadedModel
from model_profiling.recorded_agreement import Accuracy, RecordedAgreement

if TYPE_CHECKING:
    import numpy as np
    import torch


#: What a model may return beside tensors: it is no result of the program.
_LEFT_OUT = (bool, int, float, type(None))


@dataclass(frozen=True)
class Reference:
    """What the eager model gives: the tensors of each sample, and the types of results that are none, by name."""

    outputs: list[list[torch.Tensor]]
    left_out: tuple[str, ...]


def reference_outputs(
    model: LoadedModel, samples: Sequence[tuple[object, ...]], kwargs: dict[str, object]
) -> Reference:
    """Run the eager float32 model on each of `samples`; return its output tensors for each.

    The runs happen on a copy: a module that updates its buffers would otherwise be exported with
    the state that these runs left behind. A model with other results than plain tensors is made to
    give its tensors alone.
    """
    import torch

    module = copy.deepcopy(model.module)
    outputs, left_out, plain = [], [], True
    for sample in samples:
        with (
            torch.no_grad(),
            ForeignCode(
                f"running {model.label} on its example inputs",
                "correct the model or its inputs",
                module=module,
                location=model.location,
            ),
        ):
            raw = module(*copy.deepcopy(sample), **copy.deepcopy(kwargs))
        leaves = list(adapting.leaves_of(raw))
        left_out = [type(leaf).__name__ for leaf in leaves if not isinstance(leaf, torch.Tensor)]
        outputs.append(_checked_outputs(model, leaves))
        plain = plain and adapting.is_plain(raw)
    if not plain:
        adapting.give_tensors(model.module)
    return Reference(outputs, tuple(dict.fromkeys(left_out)))


def _checked_outputs(model: LoadedModel, leaves: Sequence[object]) -> list[torch.Tensor]:
    import torch

    odd = next((leaf for leaf in leaves if not isinstance(leaf, (torch.Tensor, *_LEFT_OUT))), None)
    tensors = [leaf for leaf in leaves if isinstance(leaf, torch.Tensor)]
    if odd is not None or not tensors:
        raise UserError(
            f"the model returns {f'a {type(odd).__name__}' if odd is not None else 'no tensor'}",
            f"in {model.name} at {model.location}",
            "return a tensor, or a tuple or dict of tensors",
        )
    if any(leaf.is_floating_point() and leaf.isnan().any() for leaf in tensors):
        raise UserError(
            "the eager model's output has NaNs for its own inputs",
            f"in {model.name} at {model.location}",
            "give sound weights and inputs",
        )
    return [leaf.detach().clone() for leaf in tensors]


class RunningProgram:
    """A ``.pte`` loaded into ExecuTorch's runtime, called with a sample at a time; its state stays between calls.

    Parameters
    ----------
    captured : the sample that the program was captured with, and inputs by name: others are laid out in memory as
        it is.
    doing : what runs, for the message of a failure.
    """

    def __init__(self, pte: bytes, captured: tuple[object, ...], kwargs: dict[str, object], doing: str, method: str):
        from torch.utils import _pytree as pytree

        self._captured, self._kwargs = pytree.tree_leaves((captured, kwargs)), kwargs
        self._doing, self._method = doing, method
        with self._listening():
            # Order matters: the kernel libraries register themselves with the runtime loaded here.
            from executorch.extension.pybindings.portable_lib import _load_for_executorch_from_buffer
            from executorch.kernels import quantized  # noqa: F401  (registers its operators)

            self._program = _load_for_executorch_from_buffer(pte)

    def __call__(self, sample: tuple[object, ...]) -> list[torch.Tensor]:
        """Return the program's output tensors."""
        import torch
        from torch.utils import _pytree as pytree

        with self._listening():
            # A copy: a model that writes into its input would change what the next check is given.
            flat = list(map(in_order_of, pytree.tree_leaves((sample, self._kwargs)), self._captured))
            given = self._program.run_method(self._method, flat)
            return [value.clone() for value in given if isinstance(value, torch.Tensor)]

    @contextmanager
    def _listening(self) -> Iterator[None]:
        words = RuntimeWords()
        with (
            ForeignCode(
                self._doing,
                lambda raised, place: explain_running(words),
                location=Path("the program itself"),
                error=MeasurementError,
            ),
            hearing(words),
        ):
            yield


def run_program(
    pte: bytes, samples: Sequence[tuple[object, ...]], kwargs: dict[str, object], doing: str, method: str = FORWARD
) -> list[list[torch.Tensor]]:
    """Run a ``.pte`` on each of `samples`, the first of which it was captured with; see `RunningProgram`."""
    return list(map(RunningProgram(pte, samples[0], kwargs, doing, method), samples))


def compare(
    reference: Sequence[Sequence[torch.Tensor]], produced: Sequence[Sequence[torch.Tensor]]
) -> agreement.Agreement:
    """Return the largest difference over all samples and outputs, the program's in float64 terms.

    Floating-point outputs decide. Integer ones (indices, labels) jump where two scores are nearly
    equal, so they count only where a model has nothing else.
    """
    try:
        pairs = [
            pair for expected, got in zip(reference, produced, strict=True) for pair in zip(expected, got, strict=True)
        ]
        floating = [pair for pair in pairs if pair[0].is_floating_point()]
        chosen = [_finite_pair(*pair) for pair in floating or pairs]
        return agreement.compare([first for first, _ in chosen], [second for _, second in chosen])
    except ValueError as error:
        raise MeasurementError(f"the program's outputs have another form than the eager model's: {error}") from error


def within(result: agreement.Agreement, limit: Limit) -> bool:
    """Tell whether two versions are close enough to count as the same model."""
    return (
        result.max_rel_error is not None
        and result.cosine is not None
        and result.max_rel_error <= limit.max_rel_error
        and result.cosine >= limit.min_cosine
    )


def judged(result: agreement.Agreement, limit: Limit, accuracy: Accuracy | None) -> RecordedAgreement:
    """Return the errors with the verdict: by the model's own accuracy where that has a limit, else by the recipe's."""
    own = accuracy is not None and accuracy.limit is not None
    return RecordedAgreement(
        result.max_abs_error,
        result.max_rel_error,
        result.cosine,
        limit.max_rel_error,
        limit.min_cosine,
        accuracy.passed if own and accuracy is not None else within(result, limit),
        accuracy,
    )


def disagreement(result: RecordedAgreement, recipe: Recipe, model: str) -> str:
    """Return the sentence that says how far a program is from its model, with the limit of `recipe`."""
    limit = recipe.limit
    return (
        f"{model} in {recipe.name} does not agree with the eager model: largest relative error "
        f"{_show(result.max_rel_error)} (limit {limit.max_rel_error:g}), largest absolute error "
        f"{_show(result.max_abs_error)}, cosine {_show(result.cosine)} (limit {limit.min_cosine:g})"
    )


def _show(value: float | None) -> str:
    return "not finite" if value is None else f"{value:.6g}"


def _finite_pair(expected: torch.Tensor, got: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Return both as float64 arrays; an infinity that both have (an attention mask's) is no difference."""
    import torch

    first, second = expected.to(torch.float64), got.to(torch.float64)
    both = first.isinf() & (first == second) if first.shape == second.shape else torch.tensor(False)
    if both.any():
        first, second = first.masked_fill(both, 0.0), second.masked_fill(both, 0.0)
    return first.numpy(), second.numpy()
