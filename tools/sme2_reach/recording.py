# SPDX-License-Identifier: Apache-2.0
"""Recording on an emulated CPU with SME2 what every layer of a recipe runs as."""

from __future__ import annotations

from pathlib import Path

from model_profiling.analysis.kernels.uses import KernelUse
from model_profiling.analysis.traces.layers import model_layers
from model_profiling.errors import MeasurementError
from model_profiling.export import export_job
from model_profiling.export.recipes import GROUP_STEP, find_grouped, recipes
from model_profiling.export.request import ExportRequest
from model_profiling.export.sme2_reach import ReachRow, ReachTable
from model_profiling.pipeline.devices.emulated.device import EmulatedDevice
from model_profiling.pipeline.kernel_names import COMPUTE, SME2, family_of
from model_profiling.pipeline.kernel_recording import record_kernels
from model_profiling.pipeline.measured_programs import ProgramFiles
from model_profiling.pipeline.program.inputs import make_inputs, write_inputs
from model_profiling.pipeline.program.layers import build_graph
from model_profiling.pipeline.program.workload import Workload, resolve
from model_profiling.pipeline.runners.native import NativeRunner
from model_profiling.scripts.preview_workflow import uses_of
from tools.sme2_reach.every_layer import CELLS

MODEL = Path(__file__).with_name("every_layer.py")
_PREFIX = "cells."  # the module that holds the layers
_SEED = 0


def scopes() -> tuple[tuple[str, int], ...]:
    """Return what is recorded: each recipe, and those with groups in the smallest group too."""
    return tuple(
        (recipe.name, size) for recipe in recipes().values() for size in ((0, GROUP_STEP) if recipe.grouped else (0,))
    )


def record_recipe(device: EmulatedDevice, dtype: str, group_size: int, work: Path) -> tuple[ReachRow, ...]:
    """Export the model of every layer in a recipe, run it once on `device`, and return a row for each layer.

    Raises
    ------
    MeasurementError : a layer did not run, or ran as several kernels.
    """
    request = ExportRequest(None, MODEL, None, dtype, "xnnpack", work, group_size=group_size)
    exported = export_job.export(request, lambda text: None)
    numbers = {one.layer.module: one.layer.numbers for one in exported.reach.layers}
    pte = exported.paths.pte
    resolved = resolve(Workload(pte))
    inputs = write_inputs(make_inputs(resolved.signature, resolved.record, _SEED), work / "inputs")
    program, runner = ProgramFiles(pte, tuple(inputs)), NativeRunner(device.native_build)
    recorded = record_kernels(device, runner, program, (), work / "launch")
    graph, label = build_graph(Workload(pte)), find_grouped(dtype, group_size).label
    uses = uses_of(recorded, graph)
    ran = {one.module: [u for u in uses if u.layer == one.layer] for one in model_layers(graph) if one.matrix}
    return tuple(
        _row(label, kind, rows, numbers.get(_PREFIX + cell, ""), ran.get(_PREFIX + cell, []))
        for cell, (kind, rows) in CELLS.items()
    )


def _row(recipe: str, kind: str, rows: int, numbers: str, uses: list[KernelUse]) -> ReachRow:
    operators = list(dict.fromkeys(use.operator.partition(" #")[0] for use in uses))
    kernels = sorted({use.kernel for use in uses if use.role == COMPUTE})
    if not operators or not numbers or len(kernels) > 1:
        raise MeasurementError(f"{kind} of {rows} rows in {recipe} ran as {kernels or operators or 'nothing'}")
    kernel = kernels[0] if kernels else ""
    return ReachRow(recipe, kind, rows, numbers, " + ".join(operators), kernel, family_of(kernel) == SME2)


def table_of(device: EmulatedDevice, rows: tuple[ReachRow, ...]) -> ReachTable:
    """Return the table, with what it was recorded on."""
    build = device.native_build
    return ReachTable(
        build.executorch_version.partition("+")[0],
        build.executorch_git_sha,
        f"QEMU {device.qemu.version}, -cpu {device.cpu}",
        rows,
    )
