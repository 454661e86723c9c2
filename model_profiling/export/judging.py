# SPDX-License-Identifier: Apache-2.0
"""A method of a program beside its model: run eagerly before the export, run as a program after it, and compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from model_profiling.errors import MeasurementError
from model_profiling.export import accuracy, casting, disagreement, lowering, notes, preparing, trial, verification
from model_profiling.export.making import MadeMethod, MadeProgram
from model_profiling.export.request import ExportRequest
from model_profiling.models import loading
from model_profiling.recorded_agreement import Accuracy, RecordedAgreement

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Prepared:
    """A method that was run eagerly: what it gave, what it is captured with, and what is to be told so far."""

    model: loading.LoadedModel
    outputs: list[list[torch.Tensor]]
    samples: list[tuple[object, ...]]
    kwargs: dict[str, object]
    notes: list[str]


@dataclass(frozen=True)
class Verified:
    """A method of the program that was run beside its model: what it took and gave, how far the two are apart.

    `results` are the program's for each sample, without what it writes into its inputs.
    """

    model: loading.LoadedModel
    inputs: list[list[torch.Tensor]]
    outputs: list[torch.Tensor]
    results: list[list[torch.Tensor]]
    agreement: RecordedAgreement
    notes: list[str]


def prepare(request: ExportRequest, model: loading.LoadedModel) -> Prepared:
    """Make the model one of tensors in float32, and run it."""
    recipe = request.recipe
    model, told = preparing.in_float32(model)
    samples, kwargs = [model.example_inputs, *model.calibration_inputs], model.example_kwargs
    if recipe.quantizer is not None and recipe.calibrates:
        told += notes.of_calibration(model.calibration_inputs)
    reference = verification.reference_outputs(model, samples, kwargs)
    told += notes.of_results(reference.left_out)
    given = casting.cast_inputs(samples, request.dtype), casting.cast_inputs(kwargs, request.dtype)
    return Prepared(model, reference.outputs, *given, told)


def verify(request: ExportRequest, one: Prepared, program: MadeProgram, pte_name: str) -> Verified:
    """Run a method of the program and compare it with the eager model."""
    recipe, made, given = request.recipe, program.methods[one.model.method], (one.samples, one.kwargs)
    running = f"running {pte_name}" if len(program.methods) == 1 else f"running {one.model.method} of {pte_name}"
    if trial.may_abort(recipe, made.delegation):
        trial.try_program(program.pte, _flattened(one.samples[:1], one.kwargs)[0], one.model.method, running)
    runs = verification.RunningProgram(program.pte, one.samples[0], one.kwargs, running, one.model.method)
    produced = list(map(runs, one.samples))
    # What a model writes into its inputs, the program returns before its results.
    results = [outputs[made.written_inputs :] for outputs in produced]
    apart = verification.compare(one.outputs, results)
    own = _accuracy(request, one, lambda sample: runs(sample)[made.written_inputs :])
    agreement = verification.judged(apart, recipe.limit, own)
    told = list(one.notes)
    if not agreement.passed:
        told.insert(0, _refused(request, made, one, results, agreement))
    unquantized = notes.of_quantized(made.layers) if recipe.quantizes else []
    told += [*unquantized, *notes.of_state(made.state), *made.captured.notes]
    return Verified(one.model, _flattened(*given), produced[0], results, agreement, told)


def _accuracy(request: ExportRequest, one: Prepared, program: accuracy.Run) -> Accuracy | None:
    if one.model.evaluation is None:
        return None
    # Loaded anew: the other was cast to the recipe's type.
    anew = loading.load(request.model, request.model_file, request.weights, one.model.method)
    return accuracy.measure(anew, program, request.dtype)


def _refused(
    request: ExportRequest,
    made: MadeMethod,
    one: Prepared,
    results: Sequence[Sequence[torch.Tensor]],
    agreement: RecordedAgreement,
) -> str:
    """Return the note of a program that is written all the same; raise what refuses it where none asked."""
    if agreement.by_accuracy and agreement.accuracy is not None:
        apart = accuracy.refusal(agreement.accuracy, request.recipe.name, one.model.label)
        return _kept(request, apart, "--numeric-gap shows which layers lose it")
    apart = verification.disagreement(agreement, request.recipe, one.model.label)
    return _kept(request, apart, _explained(request, made, one, results))


def _kept(request: ExportRequest, apart: str, explained: str) -> str:
    """Return the note of a program that is written although it disagrees; raise what refuses it where none asked."""
    why = f"; {explained}" if explained else ""
    if request.keep_disagreeing:
        return f"{apart}: kept for its latency alone{why}"
    raise MeasurementError(
        f"{apart}; nothing was written{why}; --keep-disagreeing writes it all the same, to profile its latency"
    )


def _explained(
    request: ExportRequest, made: MadeMethod, one: Prepared, results: Sequence[Sequence[torch.Tensor]]
) -> str:
    """Return from which layer on, and why, the program leaves the eager model."""
    recipe = request.recipe
    number = disagreement.worst_sample(one.outputs, results, recipe)

    def reference() -> tuple[torch.export.ExportedProgram, list[torch.Tensor]]:
        captured, samples = in_float32(request, one.model.method, number)
        return captured, samples[number]

    captured = made.captured.program, _flattened([one.samples[number]], one.kwargs)[0]
    found = disagreement.search(reference, captured, recipe, request.backend)
    finite = all(bool(value.isfinite().all()) for value in results[number])
    return disagreement.explain(found, made.suspicion, recipe, finite)


def in_float32(
    request: ExportRequest, method: str, number: int = 0
) -> tuple[torch.export.ExportedProgram, list[list[torch.Tensor]]]:
    """Return a method's graph in float32, captured with sample `number`, and the flat inputs of every sample."""
    # Loaded anew: the other was cast to the recipe's type.
    model, _ = preparing.in_float32(loading.load(request.model, request.model_file, request.weights, method))
    samples: list[tuple[object, ...]] = [model.example_inputs, *model.calibration_inputs]
    captured = lowering.capture(model.module, samples[number], model.example_kwargs, model.dynamic_shapes)
    return captured, _flattened(samples, model.example_kwargs)


def flat_samples(one: Prepared) -> list[list[torch.Tensor]]:
    """Return the flat inputs of every sample in the recipe's types."""
    return _flattened(one.samples, one.kwargs)


def _flattened(samples: list[tuple[object, ...]], kwargs: dict[str, object]) -> list[list[torch.Tensor]]:
    from torch.utils import _pytree as pytree

    return [pytree.tree_leaves((sample, kwargs)) for sample in samples]
