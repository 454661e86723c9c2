# SPDX-License-Identifier: Apache-2.0
"""Loaded methods made into a serialized program: captured, quantized where the recipe asks, rewritten, lowered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from model_profiling.export import (
    casting,
    constants,
    delegation,
    dimensions,
    keeping_float,
    lowering,
    matrix_layers,
    mixed_types,
    multiply_adds,
    places,
    quantization,
    rewrites,
    suspicions,
)
from model_profiling.export.failures import explain_capture, explain_lowering
from model_profiling.export.kernels import check_custom_operators, check_kernels
from model_profiling.export.recipe import Recipe
from model_profiling.models import loading
from model_profiling.models.contract import FORWARD
from model_profiling.models.foreign_code import ForeignCode

if TYPE_CHECKING:
    import torch
    from executorch.exir import EdgeProgramManager


@dataclass(frozen=True)
class Lowering:
    """What captured graphs become: the backend that takes them, the rewrites before, the parts that stay in float."""

    backend: str
    rewrites: tuple[str, ...] = ()
    kept_float: tuple[str, ...] = ()


@dataclass(frozen=True)
class CapturedMethod:
    """A method's graph, ready to be lowered, with what was learned on the way."""

    program: torch.export.ExportedProgram
    multiply_adds: int | None
    rewrites: dict[str, int]
    notes: tuple[str, ...]
    dimension_names: list[dict[int, dimensions.NamedDimension]]


@dataclass(frozen=True)
class MadeMethod:
    """A method of a serialized program."""

    captured: CapturedMethod
    delegation: delegation.Delegation
    layers: tuple[matrix_layers.ExportedLayer, ...]
    suspicion: str
    written_inputs: int
    state: tuple[str, ...]
    varying: dimensions.Varying
    places: list[dict[str, object]]


@dataclass(frozen=True)
class MadeProgram:
    """A serialized program: its methods by name, and what they have in common."""

    methods: dict[str, MadeMethod]
    pte: bytes
    etrecord: bytes
    constants: tuple[constants.Constant, ...]
    graph_text: str
    notes: tuple[str, ...]

    @property
    def delegated_operators(self) -> int:
        return sum(one.delegation.delegated_operators for one in self.methods.values())

    @property
    def portable_operators(self) -> int:
        return sum(one.delegation.portable_operators for one in self.methods.values())


def capture_method(
    model: loading.LoadedModel,
    recipe: Recipe,
    target: Lowering,
    inputs: tuple[list[tuple[object, ...]], dict[str, object]],
    log: Path,
) -> CapturedMethod:
    """Capture a method's graph, quantize and rewrite it where asked; `log` keeps what a library says of a failure."""
    samples, kwargs = inputs
    with ForeignCode(f"torch.export of {model.label}", explain_capture, module=model.module, log=log):
        casting.cast_module(model.module, recipe.name)
        with mixed_types.products_in(casting.float_type(recipe.name)):
            program = lowering.capture(model.module, samples[0], kwargs, model.dynamic_shapes)
    work, uncounted = multiply_adds.count_or_why(program)
    if recipe.quantizes:
        with ForeignCode(f"quantizing {model.label}", recipe.advice, log=log):
            quantized = _quantized(recipe, model.module, program, (samples, kwargs), target.kept_float)
            program = lowering.capture(quantized, samples[0], kwargs, model.dynamic_shapes)
            quantization.check_quantized(program, recipe, model.label)
    with ForeignCode(f"lowering {model.label} to {target.backend}", explain_lowering, log=log):
        program, rewritten = rewrites.apply(program, target.rewrites)
    names = dimensions.names_of(model.module, samples[0], kwargs, model.dynamic_shapes)
    return CapturedMethod(program, work, rewritten, tuple(uncounted), names)


def lower_methods(
    name: str, captured: Mapping[str, CapturedMethod], weights: int, recipe: Recipe, backend: str, log: Path
) -> MadeProgram:
    """Lower and serialize the methods of the model called `name` as one program.

    Parameters
    ----------
    weights : the size of the model's parameters in bytes, as float32.
    """
    with ForeignCode(f"lowering {name} to {backend}", explain_lowering, log=log):
        programs = {method: one.program for method, one in captured.items()}
        # Lowering changes what it is given.
        texts = [f"# torch.export{_of(method)}\n{program}\n" for method, program in programs.items()]
        etrecord = weights <= lowering.ETRECORD_LIMIT_BYTES
        with delegation.recording_reasons() as recorder:
            edge = lowering.lower(programs, backend, recipe, recorder.begin, etrecord)
        graphs = {method: edge.exported_program(method).graph_module for method in captured}
        described = {
            method: delegation.describe_edge(graph, recorder.reasons(method), backend)
            for method, graph in graphs.items()
        }
        learned = {method: _learned(edge, method, recipe) for method in captured}
        varying = {
            method: dimensions.read_varying(edge.exported_program(method), one.dimension_names)
            for method, one in captured.items()
        }
        for method, graph in graphs.items():
            check_custom_operators(graph, name)
            texts.append(f"# after lowering to {backend}{_of(method)}\n{graph.graph}\n")
        stored = constants.read_constants(edge)
        final = lowering.serialize(edge)
        methods = {}
        for method, one in captured.items():
            final_graph = final.exported_program(method).graph_module
            divided = delegation.read_program(final_graph, described[method])
            check_kernels(final_graph, name)
            placed = places.read_places(final_graph, varying[method])
            methods[method] = MadeMethod(one, divided, *learned[method], varying[method], placed)
        saved, unsaved = lowering.etrecord_or_why(final, etrecord)
        return MadeProgram(methods, final.buffer, saved, stored, "\n".join(texts), tuple(unsaved))


def _of(method: str) -> str:
    return "" if method == FORWARD else f", {method}"


def _learned(
    edge: EdgeProgramManager, method: str, recipe: Recipe
) -> tuple[tuple[matrix_layers.ExportedLayer, ...], str, int, tuple[str, ...]]:
    """Return what is read of a method before the program is serialized; see `MadeMethod`."""
    program = edge.exported_program(method)
    signature = program.graph_signature
    return (
        matrix_layers.read_matrix_layers(program),
        suspicions.suspicion(program.graph_module, recipe.name),
        len(signature.user_inputs_to_mutate),
        tuple(signature.buffers_to_mutate.values()),
    )


def _quantized(
    recipe: Recipe,
    module: torch.nn.Module,
    program: torch.export.ExportedProgram,
    given: tuple[list[tuple[object, ...]], dict[str, object]],
    kept_float: Sequence[str],
) -> torch.nn.Module:
    """Return the model as `recipe` quantizes it; `program` is its graph before, `given` samples and inputs by name."""
    samples, kwargs = given
    if recipe.weights is not None:
        return quantization.quantize_weights(module, recipe.weights(), recipe.group_size, kept_float)
    assert recipe.quantizer is not None
    inputs = samples[1:] if recipe.calibrates else samples[:1]
    quantizer = recipe.quantizer()
    if kept_float:
        quantizer = keeping_float.keep_operators(quantizer, program, kept_float)
    return quantization.quantize(program, inputs, kwargs, quantizer, dynamic=not recipe.calibrates)


def quantizing(recipe: Recipe, calibrating: int) -> str:
    """Return what a step's line says of quantizing, "" where nothing is quantized."""
    if not recipe.quantizes:
        return ""
    on = f" on {calibrating} inputs" if recipe.quantizer and recipe.calibrates else ""
    return f" and quantized it{on}"
