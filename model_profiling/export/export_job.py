# SPDX-License-Identifier: Apache-2.0
"""One export from a loaded model to files in place, step by step."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from model_profiling.export import constants, delegation, keeping_float, lowering, numeric_gap_job, sidecar, sme2_reach
from model_profiling.export.artifacts import ArtifactPaths, default_outdir, put_in_place, writable_folder
from model_profiling.export.judging import Prepared, Verified, prepare, verify
from model_profiling.export.making import (
    CapturedMethod,
    Lowering,
    MadeMethod,
    MadeProgram,
    capture_method,
    lower_methods,
    quantizing,
)
from model_profiling.export.request import ExportRequest
from model_profiling.files import json_bytes
from model_profiling.models import loading
from model_profiling.models.contract import FORWARD
from model_profiling.numeric_gap import NumericGap, table_bytes
from model_profiling.wording import listed

_STEPS = 5
_FLOAT32_BYTES = 4


@dataclass(frozen=True)
class ExportResult:
    """Where the files are and what the sidecar in them says; the division and reach of each method.

    `numeric_gaps` are there where they were asked for.
    """

    paths: ArtifactPaths
    sidecar: sidecar.ExportRecord
    delegations: dict[str, delegation.Delegation]
    reaches: dict[str, sme2_reach.Reach]
    numeric_gaps: dict[str, NumericGap] = field(default_factory=dict)

    @property
    def delegation(self) -> delegation.Delegation:
        """The division of the first method, which most programs have alone."""
        return next(iter(self.delegations.values()))

    @property
    def reach(self) -> sme2_reach.Reach:
        """The reach of the first method."""
        return next(iter(self.reaches.values()))


def steps_of(request: ExportRequest) -> int:
    """Return how many steps an export has."""
    return _STEPS + request.numeric_gap


def export(request: ExportRequest, step: Callable[[str], None]) -> ExportResult:
    """Export as `request` says, verify the result, and only then put its files in place.

    Parameters
    ----------
    step : told of each of the `steps_of(request)` steps once it is done.

    Raises
    ------
    UserError : the model, its weights or the folder are at fault.
    MeasurementError : the program does not run, or does not agree with the eager model.
    """
    started = time.monotonic()
    lowering.check_recipe(request.backend, request.recipe)
    keeping_float.check(request.recipe, request.kept_float)
    models = loading.load_methods(request.model, request.model_file, request.weights, request.methods)
    outdir = request.outdir or default_outdir(models[0].name)
    paths = ArtifactPaths(outdir, models[0].name, request.backend, request.recipe.label)
    with writable_folder(outdir):
        return _export_loaded(request, models, paths, step, started)


def _export_loaded(
    request: ExportRequest,
    models: Sequence[loading.LoadedModel],
    paths: ArtifactPaths,
    step: Callable[[str], None],
    started: float,
) -> ExportResult:
    prepared = {model.method: prepare(request, model) for model in models}
    name, recipe = models[0].name, request.recipe
    step(f"loaded {name} and ran it eagerly")
    captured = {method: _captured(request, one, paths.log) for method, one in prepared.items()}
    step(_captured_what(prepared) + quantizing(recipe, len(next(iter(prepared.values())).samples) - 1))
    gaps = _graph_gaps(request, prepared, captured, step)
    weights = _FLOAT32_BYTES * models[0].parameters
    program = lower_methods(name, captured, weights, recipe, request.backend, paths.log)
    step(f"lowered it: {program.delegated_operators} operators to XNNPACK, {program.portable_operators} outside")
    verified = {method: verify(request, one, program, paths.pte.name) for method, one in prepared.items()}
    step(f"ran {paths.pte.name} and compared it with the eager model")
    versions = sidecar.versions()
    reaches = {
        method: sme2_reach.reach_of(one.layers, versions["executorch"]) for method, one in program.methods.items()
    }
    records = {
        method: _method_record(verified[method], made, reaches[method]) for method, made in program.methods.items()
    }
    finished = _finished_gaps(gaps, prepared, verified, records)
    about = sidecar.whole_record(
        _program_record(request, models[0], program, paths, versions, started), records, request.kept_float
    )
    step(f"wrote {_write(request, program, (about, finished), paths)} files")
    delegations = {method: one.delegation for method, one in program.methods.items()}
    return ExportResult(paths, about, delegations, reaches, finished)


def _graph_gaps(
    request: ExportRequest,
    prepared: Mapping[str, Prepared],
    captured: Mapping[str, CapturedMethod],
    step: Callable[[str], None],
) -> dict[str, numeric_gap_job.GraphGap | str]:
    if not request.numeric_gap:
        return {}
    gaps = {method: numeric_gap_job.of_graphs(request, one, captured[method]) for method, one in prepared.items()}
    step("compared each layer with the eager model")
    return gaps


def _finished_gaps(
    gaps: Mapping[str, numeric_gap_job.GraphGap | str],
    prepared: Mapping[str, Prepared],
    verified: Mapping[str, Verified],
    records: Mapping[str, sidecar.MethodRecord],
) -> dict[str, NumericGap]:
    """Return each method's gap, and put it into its record, or the note that says why there is none."""
    finished = {}
    for method, gap in gaps.items():
        if isinstance(gap, str):
            records[method]["notes"].append(f"no layer is compared with the eager model: {gap}")
        else:
            finished[method] = numeric_gap_job.finish(gap, prepared[method], verified[method])
            records[method]["numeric_gap"] = finished[method].to_json()
    return finished


def _program_record(
    request: ExportRequest,
    model: loading.LoadedModel,
    program: MadeProgram,
    paths: ArtifactPaths,
    versions: dict[str, str],
    started: float,
) -> sidecar.ProgramRecord:
    """Return what the sidecar says of the program as a whole; `model` is any of its methods."""
    return {
        "schema_version": sidecar.SCHEMA_VERSION,
        "model": model.name,
        "source": model.source,
        "dtype": request.dtype,
        "group_size": request.group_size,
        "backend": request.backend,
        "pte": sidecar.describe_pte(paths.pte.name, program.pte),
        "parameters": model.parameters,
        "export_seconds": round(time.monotonic() - started, 3),
        "versions": versions,
        "constants": constants.describe_constants(program.constants, len(program.pte)),
        "seed": loading.SEED,
        "notes": list(program.notes),
    }


def _captured_what(prepared: Mapping[str, Prepared]) -> str:
    only_one = list(prepared) == [FORWARD]
    return "captured the graph" if only_one else f"captured the graphs of {listed(list(prepared))}"


def _captured(request: ExportRequest, one: Prepared, log: Path) -> CapturedMethod:
    target = Lowering(request.backend, request.rewrites, request.kept_float)
    return capture_method(one.model, request.recipe, target, (one.samples, one.kwargs), log)


def _method_record(verified: Verified, made: MadeMethod, reach: sme2_reach.Reach) -> sidecar.MethodRecord:
    """Return what the sidecar says of a method."""
    record: sidecar.MethodRecord = {
        "inputs": sidecar.describe_inputs(verified.inputs, made.varying.inputs, verified.model.input_ranges),
        "outputs": [sidecar.describe_tensor(value) for value in verified.outputs],
        "multiply_adds": made.captured.multiply_adds,
        "delegation": made.delegation.to_json(),
        "sme2": reach.to_json(),
        "agreement": sidecar.describe_agreement(verified.agreement),
        "places": made.places,
        "rewrites": made.captured.rewrites,
        "notes": verified.notes,
        "state": list(made.state),
    }
    if made.varying.ranges:
        record["dimensions"] = made.varying.ranges
    if verified.model.tokens is not None:
        record["tokens"] = verified.model.tokens
    return record


def _write(
    request: ExportRequest,
    program: MadeProgram,
    told: tuple[sidecar.ExportRecord, Mapping[str, NumericGap]],
    paths: ArtifactPaths,
) -> int:
    """Put the files in place and clear away those of an earlier export that would pass for this one's."""
    about, gaps = told
    contents = {paths.sidecar: json_bytes(about), paths.pte: program.pte}
    if gaps:
        contents[paths.numeric_gap] = table_bytes(gaps)
    if program.etrecord:
        contents = {paths.etrecord: program.etrecord, **contents}
    if request.save_graph:
        contents[paths.graph] = program.graph_text.encode()
    put_in_place(contents)
    if not program.etrecord:
        paths.etrecord.unlink(missing_ok=True)
    if not gaps:
        paths.numeric_gap.unlink(missing_ok=True)
    paths.log.unlink(missing_ok=True)  # of an earlier attempt that failed
    return len(contents)
