# SPDX-License-Identifier: Apache-2.0
"""One export from a loaded model to files in place, step by step."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from model_profiling.export import (
    casting,
    constants,
    delegation,
    lowering,
    multiply_adds,
    places,
    quantization,
    sidecar,
    suspicions,
    verification,
)
from model_profiling.export.artifacts import ArtifactPaths, default_outdir, put_in_place, writable_folder
from model_profiling.export.failures import explain_capture, explain_lowering
from model_profiling.export.kernels import check_custom_operators, check_kernels
from model_profiling.export.recipes import find_recipe
from model_profiling.files import json_bytes
from model_profiling.models import loading
from model_profiling.models.foreign_code import ForeignCode

if TYPE_CHECKING:
    import torch

STEPS = 5


@dataclass(frozen=True)
class ExportRequest:
    """What to export and where to; `model` or `model_file` names it.

    Without an `outdir` the files go to ``out_<model>/artifacts``.
    """

    model: str | None
    model_file: Path | None
    weights: Path | None
    dtype: str
    backend: str
    outdir: Path | None = None
    save_graph: bool = False


@dataclass(frozen=True)
class ExportResult:
    """Where the files are and what the sidecar in them says."""

    paths: ArtifactPaths
    sidecar: sidecar.ExportRecord
    delegation: delegation.Delegation


@dataclass(frozen=True)
class _Program:
    """A serialized program with what was learned on the way."""

    pte: bytes
    etrecord: bytes
    multiply_adds: int
    delegation: delegation.Delegation
    constants: tuple[constants.Constant, ...]
    suspicion: str
    written_inputs: int
    places: list[dict[str, object]]
    graph_text: str


def export(request: ExportRequest, step: Callable[[str], None]) -> ExportResult:
    """Export as `request` says, verify the result, and only then put its files in place.

    Parameters
    ----------
    step : told of each of the `STEPS` steps once it is done.

    Raises
    ------
    UserError : the model, its weights or the folder are at fault.
    MeasurementError : the program does not run, or does not agree with the eager model.
    """
    started = time.monotonic()
    model = loading.load(request.model, request.model_file, request.weights)
    outdir = request.outdir or default_outdir(model.name)
    paths = ArtifactPaths(outdir, model.name, request.backend, request.dtype)
    with writable_folder(outdir):
        return _export_loaded(request, model, paths, step, started)


def _export_loaded(
    request: ExportRequest,
    model: loading.LoadedModel,
    paths: ArtifactPaths,
    step: Callable[[str], None],
    started: float,
) -> ExportResult:
    casting.cast_module(model.module, "fp32")
    samples = casting.cast_inputs([model.example_inputs, *model.calibration_inputs], "fp32")
    kwargs = casting.cast_inputs(model.example_kwargs, "fp32")
    reference = verification.reference_outputs(model, samples, kwargs)
    parameters = sum(value.numel() for value in model.module.parameters())
    step(f"loaded {model.name} and ran it eagerly")

    samples = casting.cast_inputs(samples, request.dtype)
    kwargs = casting.cast_inputs(kwargs, request.dtype)
    program = _make_program(request, model, paths, (samples, kwargs), step)

    produced = verification.run_program(program.pte, samples, kwargs, f"running {paths.pte.name}")
    # What a model writes into its inputs, the program returns before its results.
    agreement = verification.compare(reference, [outputs[program.written_inputs :] for outputs in produced])
    limit = verification.judge(agreement, find_recipe(request.dtype), model.name, program.suspicion)
    step(f"ran {paths.pte.name} and compared it with the eager model")

    about: sidecar.ExportRecord = {
        "schema_version": sidecar.SCHEMA_VERSION,
        "model": model.name,
        "source": model.source,
        "dtype": request.dtype,
        "backend": request.backend,
        "pte": sidecar.describe_pte(paths.pte.name, program.pte),
        "inputs": sidecar.describe_inputs(_flattened(samples, kwargs)),
        "outputs": [sidecar.describe_tensor(value) for value in produced[0]],
        "parameters": parameters,
        "multiply_adds": program.multiply_adds,
        "export_seconds": round(time.monotonic() - started, 3),
        "versions": sidecar.versions(),
        "delegation": program.delegation.to_json(),
        "agreement": sidecar.describe_agreement(agreement, limit),
        "constants": constants.describe_constants(program.constants, len(program.pte)),
        "seed": loading.SEED,
        "places": program.places,
    }
    contents = {paths.etrecord: program.etrecord, paths.sidecar: json_bytes(about), paths.pte: program.pte}
    if request.save_graph:
        contents[paths.graph] = program.graph_text.encode()
    put_in_place(contents)
    paths.log.unlink(missing_ok=True)  # of an earlier attempt that failed
    step(f"wrote {len(contents)} files")
    return ExportResult(paths, about, program.delegation)


def _make_program(
    request: ExportRequest,
    model: loading.LoadedModel,
    paths: ArtifactPaths,
    inputs: tuple[list[tuple[object, ...]], dict[str, object]],
    step: Callable[[str], None],
) -> _Program:
    """Capture, quantize where asked, lower and serialize."""
    (samples, kwargs), recipe = inputs, find_recipe(request.dtype)
    with ForeignCode(f"torch.export of {model.name}", explain_capture, module=model.module, log=paths.log):
        casting.cast_module(model.module, request.dtype)
        program = lowering.capture(model.module, samples[0], kwargs, model.dynamic_shapes)
        work = multiply_adds.count(program)
    if recipe.quantizer is not None:
        with ForeignCode(f"quantizing {model.name}", recipe.advice, log=paths.log):
            quantized = quantization.quantize(program, samples[1:], kwargs, recipe.quantizer())
            program = lowering.capture(quantized, samples[0], kwargs, model.dynamic_shapes)
    step(
        "captured the graph"
        + (f" and quantized it on {len(samples) - 1} inputs" if recipe.quantizer is not None else "")
    )
    with (
        ForeignCode(f"lowering {model.name} to {request.backend}", explain_lowering, log=paths.log),
        delegation.recording_reasons() as recorder,
    ):
        captured_text = str(program)
        edge = lowering.lower(program, request.backend, recipe)
        edge_graph = edge.exported_program().graph_module
        described = delegation.describe_edge(edge_graph, recorder, request.backend)
        stored = constants.read_constants(edge)
        written = len(edge.exported_program().graph_signature.user_inputs_to_mutate)
        check_custom_operators(edge_graph, model.name)
        graph_text = f"# torch.export\n{captured_text}\n\n# after lowering to {request.backend}\n{edge_graph.graph}\n"
        final = lowering.serialize(edge)
        final_graph = final.exported_program().graph_module
        divided = delegation.read_program(final_graph, described)
        check_kernels(final_graph, model.name)
        made = _Program(
            final.buffer,
            lowering.etrecord_bytes(final),
            work,
            divided,
            stored,
            suspicions.suspicion(edge_graph),
            written,
            places.read_places(final_graph),
            graph_text,
        )
    step(f"lowered it: {divided.delegated_operators} operators to XNNPACK, {divided.portable_operators} outside")
    return made


def _flattened(samples: list[tuple[object, ...]], kwargs: dict[str, object]) -> list[list[torch.Tensor]]:
    from torch.utils import _pytree as pytree

    return [pytree.tree_leaves((sample, kwargs)) for sample in samples]
