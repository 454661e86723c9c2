# SPDX-License-Identifier: Apache-2.0
"""Running the eager model and the exported program on the same inputs, and judging the difference."""

from __future__ import annotations

import copy
from collections.abc import Sequence
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


def run_program(
    pte: bytes, samples: Sequence[tuple[object, ...]], kwargs: dict[str, object], doing: str, method: str = FORWARD
) -> list[list[torch.Tensor]]:
    """Run a ``.pte`` with ExecuTorch's runtime on each of `samples`; return its output tensors for each.

    Parameters
    ----------
    samples : the program was captured with the first: the others are laid out in memory as it is.
    doing : what runs, for the message of a failure.
    """
    import torch
    from torch.utils import _pytree as pytree

    captured = pytree.tree_leaves((samples[0], kwargs))
    words = RuntimeWords()
    with (
        ForeignCode(
            doing,
            lambda raised, place: explain_running(words),
            location=Path("the program itself"),
            error=MeasurementError,
        ),
        hearing(words),
    ):
        # Order matters: the kernel libraries register themselves with the runtime loaded here.
        from executorch.extension.pybindings.portable_lib import _load_for_executorch_from_buffer
        from executorch.kernels import quantized  # noqa: F401  (registers its operators)

        program = _load_for_executorch_from_buffer(pte)
        outputs = []
        for sample in samples:
            # A copy: a model that writes into its input would change what the next check is given.
            flat = list(map(in_order_of, pytree.tree_leaves((sample, kwargs)), captured))
            outputs.append(
                [value.clone() for value in program.run_method(method, flat) if isinstance(value, torch.Tensor)]
            )
    return outputs


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


def disagreement(result: agreement.Agreement, recipe: Recipe, model: str) -> str:
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
