# SPDX-License-Identifier: Apache-2.0
"""Running the eager model and the exported program on the same inputs, and judging the difference."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING

from model_profiling import agreement
from model_profiling.errors import MeasurementError, UserError
from model_profiling.export.recipe import Limit, Recipe
from model_profiling.models.foreign_code import ForeignCode
from model_profiling.models.loading import LoadedModel

if TYPE_CHECKING:
    import numpy as np
    import torch


def reference_outputs(
    model: LoadedModel, samples: Sequence[tuple[object, ...]], kwargs: dict[str, object]
) -> list[list[torch.Tensor]]:
    """Run the eager float32 model on each of `samples`; return its output tensors for each.

    The runs happen on a copy: a module that updates its buffers would otherwise be exported with
    the state that these runs left behind.
    """
    import torch

    module = copy.deepcopy(model.module)
    results = []
    for sample in samples:
        with (
            torch.no_grad(),
            ForeignCode(
                f"running {model.name} on its example inputs",
                "correct the model or its inputs",
                module=module,
                location=model.location,
            ),
        ):
            raw = module(*copy.deepcopy(sample), **copy.deepcopy(kwargs))
        results.append(_checked_outputs(model, raw))
    return results


def _checked_outputs(model: LoadedModel, raw: object) -> list[torch.Tensor]:
    import torch
    from torch.utils import _pytree as pytree

    leaves = pytree.tree_leaves(raw)
    odd = [leaf for leaf in leaves if not isinstance(leaf, torch.Tensor)]
    named = _named_result(raw)
    if named:
        raise UserError(
            f"the model returns a {named}, which a program cannot hold",
            f"in {model.name} at {model.location}",
            "return its tensors: values, indices = x.topk(k); return values, indices",
        )
    if odd or not leaves:
        raise UserError(
            f"the model returns a {type(odd[0]).__name__ if odd else type(raw).__name__}, not tensors",
            f"in {model.name} at {model.location}",
            "return a tensor, or a tuple or dict of tensors",
        )
    if any(leaf.is_floating_point() and leaf.isnan().any() for leaf in leaves):
        raise UserError(
            "the eager model's output has NaNs for its own inputs",
            f"in {model.name} at {model.location}",
            "give sound weights and inputs",
        )
    return [leaf.detach().clone() for leaf in leaves]


def _named_result(raw: object) -> str:
    """Return the type's name of a result such as ``torch.return_types.topk`` anywhere in `raw`, else ""."""
    if type(raw).__module__ == "torch.return_types":
        return f"torch.return_types.{type(raw).__name__}"
    inner = raw.values() if isinstance(raw, dict) else raw if isinstance(raw, (tuple, list)) else ()
    return next(filter(None, map(_named_result, inner)), "")


def run_program(
    pte: bytes, samples: Sequence[tuple[object, ...]], kwargs: dict[str, object], doing: str
) -> list[list[torch.Tensor]]:
    """Run a ``.pte`` with ExecuTorch's runtime on each of `samples`; return its outputs for each."""
    import torch
    from torch.utils import _pytree as pytree

    with ForeignCode(
        doing,
        "an operator may have no kernel for this dtype: see --explain for what stays "
        "outside XNNPACK, or try another --dtype or --backend",
        error=MeasurementError,
    ):
        # Order matters: the kernel libraries register themselves with the runtime loaded here.
        from executorch.extension.pybindings.portable_lib import _load_for_executorch_from_buffer
        from executorch.kernels import quantized  # noqa: F401  (registers its operators)

        program = _load_for_executorch_from_buffer(pte)
        outputs = []
        for sample in samples:
            # A copy: a model that writes into its input would change what the next check is given.
            flat = [leaf.clone(memory_format=torch.contiguous_format) for leaf in pytree.tree_leaves((sample, kwargs))]
            outputs.append([torch.as_tensor(value).clone() for value in program.forward(flat)])
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


def judge(result: agreement.Agreement, recipe: Recipe, model: str, suspicion: str = "") -> Limit:
    """Return the limit of `recipe`, or raise a `MeasurementError` with the numbers of both sides.

    `suspicion` is what is known to go wrong with such a program, told with them.
    """
    limit = recipe.limit
    if (
        result.max_rel_error is not None
        and result.cosine is not None
        and result.max_rel_error <= limit.max_rel_error
        and result.cosine >= limit.min_cosine
    ):
        return limit
    if result.max_rel_error is None:
        suspicion = suspicion or recipe.out_of_range
    raise MeasurementError(
        f"{model} in {recipe.name} does not agree with the eager model: largest relative error "
        f"{_show(result.max_rel_error)} (limit {limit.max_rel_error:g}), largest absolute error "
        f"{_show(result.max_abs_error)}, cosine {_show(result.cosine)} (limit {limit.min_cosine:g}); "
        f"nothing was written{suspicion and f'; {suspicion}'}"
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
