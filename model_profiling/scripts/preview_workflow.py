# SPDX-License-Identifier: Apache-2.0
"""The steps of preview_sme2.py: three launches on emulated CPUs, their kernels, what they wrote."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from model_profiling import __version__
from model_profiling.agreement import compare
from model_profiling.analysis.kernels.preview import PreviewVariant
from model_profiling.analysis.kernels.record import read_record
from model_profiling.analysis.kernels.uses import KernelUse, kernel_rows, kernel_uses
from model_profiling.analysis.tables.kernels import kernels_csv
from model_profiling.analysis.traces.etdump import read_etdump
from model_profiling.analysis.traces.layers import model_layers
from model_profiling.analysis.traces.timeline import build_timeline
from model_profiling.console import progress
from model_profiling.errors import UserError
from model_profiling.files import make_folder, sha256, write_bytes, write_json, write_text
from model_profiling.pipeline.devices.emulated.device import EmulatedDevice
from model_profiling.pipeline.kernel_recording import KernelRecording, record_kernels
from model_profiling.pipeline.measured_programs import ProgramFiles
from model_profiling.pipeline.preview_folder import NO_SME_VARIANT, SME2_VARIANT, SME_VARIANT, PreviewFolder
from model_profiling.pipeline.program.inputs import make_inputs, write_inputs
from model_profiling.pipeline.program.layers import GraphInstruction, build_graph
from model_profiling.pipeline.program.workload import Workload, resolve
from model_profiling.pipeline.runners.native import NativeRunner
from model_profiling.report.words.preview import disagreements, preview_json, preview_markdown, sentence

_SEED = 0  # the same inputs every time, so that two previews of a model can be compared
#: Cleared to leave SME alone; SME2.1 includes SME2.
_SME2_FEATURES = ("sme2", "sme2p1")
_ALL_SME = ("sme", *_SME2_FEATURES)


@dataclass(frozen=True)
class Plan:
    """A variant before it has run."""

    name: str
    title: str
    device: EmulatedDevice
    disabled: tuple[str, ...] = ()


@dataclass(frozen=True)
class Preview:
    """What a preview found, and the files it wrote."""

    sentence: str
    disagreements: tuple[str, ...]
    files: tuple[Path, ...]


def preview(workload: Workload, folder: Path | None, cpu: str) -> Preview:
    """Run a program on the emulated `cpu` with SME2, with SME only and with neither; write the kernel views.

    Parameters
    ----------
    folder : where they go; beside the model, in ``<model>_sme2_preview``, where it is None.

    Raises
    ------
    UserError : the model cannot be read, a part that emulation takes cannot be had, an unknown CPU.
    MeasurementError : the model failed on the emulated CPU.
    """
    model, resolved, graph = workload.model, resolve(workload), build_graph(workload)
    places = PreviewFolder(model, folder, workload.label)
    if places.root.exists() and not places.root.is_dir():
        raise UserError(f"{places.root} is a file", "in --output-dir", "name a folder")
    device = EmulatedDevice.of(cpu)
    with tempfile.TemporaryDirectory(prefix="sme2-preview-") as scratch:
        inputs = write_inputs(make_inputs(resolved.signature, resolved.record, _SEED), Path(scratch) / "inputs")
        program = ProgramFiles(model, tuple(inputs), workload.method, resolved.shapes_to_tell)
        recordings, uses = [], []
        plans = plan_variants(device)
        with progress("emulating", len(plans)) as advance:
            for plan in plans:
                recorded = record_kernels(
                    plan.device,
                    NativeRunner(plan.device.native_build),
                    program,
                    plan.disabled,
                    Path(scratch) / plan.name,
                )
                recordings.append(recorded)
                uses.append(uses_of(recorded, graph))
                advance(f"{plan.title}: {sum(use.calls for use in uses[-1])} KleidiAI calls")
    return _write(workload, places, graph, device, _variants(plans, recordings, uses))


def plan_variants(device: EmulatedDevice) -> tuple[Plan, ...]:
    """Return what to run on a CPU, by the features that it has; the one without SME comes last."""
    names = device.cpu_features().names
    held = tuple(f for f in _ALL_SME if f in names)
    plans = []
    if "sme2" in names:
        plans.append(Plan(SME2_VARIANT, "SME2", device))
    if "sme" in names:
        plans.append(Plan(SME_VARIANT, "SME only", device, tuple(f for f in _SME2_FEATURES if f in names)))
    return (*plans, _without_sme(device, held))


def _without_sme(device: EmulatedDevice, held: tuple[str, ...]) -> Plan:
    if not held:
        return Plan(NO_SME_VARIANT, "without SME", device)
    try:
        off = replace(device, cpu=f"{device.cpu},sme=off")
        off.cpu_features()
    except UserError:  # not every CPU of QEMU's lets SME be switched off
        return Plan(NO_SME_VARIANT, "without SME", device, held)
    return Plan(NO_SME_VARIANT, "without SME", off)


def uses_of(recorded: KernelRecording, graph: Sequence[GraphInstruction]) -> tuple[KernelUse, ...]:
    """Return the kernels that a recording's operators called."""
    if recorded.record is None:
        raise ValueError(f"{recorded.etdump} comes without a record of kernel calls")
    timeline = build_timeline(read_etdump(recorded.etdump), str(recorded.etdump))
    return kernel_uses(read_record(recorded.record), timeline, graph, model_layers(graph), str(recorded.record))


def _variants(
    plans: Sequence[Plan], recordings: Sequence[KernelRecording], uses: Sequence[tuple[KernelUse, ...]]
) -> tuple[PreviewVariant, ...]:
    reference = recordings[-1].tensors
    return tuple(
        PreviewVariant(
            p.name, p.title, p.device.cpu, p.disabled, u, None if r is recordings[-1] else compare(reference, r.tensors)
        )
        for p, r, u in zip(plans, recordings, uses, strict=True)
    )


def _write(
    workload: Workload,
    places: PreviewFolder,
    graph: Sequence[GraphInstruction],
    device: EmulatedDevice,
    variants: Sequence[PreviewVariant],
) -> Preview:
    layers, model = model_layers(graph), workload.model
    make_folder(places.root)
    about = {
        "kit_version": __version__,
        "model": {"id": model.stem, "sha256": sha256(model)},
        **({"method": workload.method} if workload.method else {}),
        **({"input_shapes": [list(shape) for shape in workload.input_shapes]} if workload.input_shapes else {}),
        "executorch": {
            "version": device.native_build.executorch_version,
            "git_sha": device.native_build.executorch_git_sha,
        },
        "emulator": f"QEMU {device.qemu.version}",
        "seed": _SEED,
    }
    files = [
        write_bytes(places.kernels(v.name), kernels_csv(kernel_rows(model.stem, v.name, v.uses))) for v in variants
    ]
    files.append(write_json(places.json, preview_json(about, layers, variants)))
    files.append(
        write_text(
            places.markdown, preview_markdown(", ".join(filter(None, (model.stem, workload.label))), layers, variants)
        )
    )
    return Preview(sentence(layers, variants[0]), disagreements(variants), tuple(files))
