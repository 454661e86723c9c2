# SPDX-License-Identifier: Apache-2.0
"""Machine, model and versions: where a run came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from model_profiling.pipeline.manifest import RunnerDescription
from model_profiling.pipeline.measured_programs import MeasuredProgram
from model_profiling.recorded_agreement import RecordedAgreement
from model_profiling.report.load import ExportRecord, RunData
from model_profiling.report.naming import Naming
from model_profiling.report.section import ReportSection
from model_profiling.report.view import View
from model_profiling.report.words.agreement import agreement_words
from model_profiling.report.words.programs import program_names
from model_profiling.wording import count, listed

Facts = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class SetupSection(ReportSection):
    """What ran, on what."""

    anchor: ClassVar[str] = "setup"
    title: ClassVar[str] = "Machine and versions"
    template: ClassVar[str] = "setup"
    machine: Facts
    model: Facts
    versions: Facts

    @classmethod
    def of(cls, run: RunData, naming: Naming, view: View) -> SetupSection:
        return cls(_machine(run), _models(run), _versions(run))


def _machine(run: RunData) -> Facts:
    """Return the machine's facts."""
    manifest, cpu, host = run.manifest, run.manifest.cpu, run.manifest.host
    facts = [
        ("CPU", cpu.model_name or "unknown"),
        ("Architecture", cpu.architecture),
        ("Cores", str(cpu.cores)),
        ("System", " ".join(str(host[key]) for key in ("system", "release") if host.get(key))),
        ("Device", manifest.device),
    ]
    pinned = {name: cores for name, cores in manifest.affinity.items() if cores}
    facts += [(f"Cores of {name}", ", ".join(map(str, cores))) for name, cores in pinned.items()]
    governors = sorted({str(launch.before["governor"]) for launch in run.launches if launch.before.get("governor")})
    if governors:
        facts.append(("Frequency governor", ", ".join(governors)))
    feature = manifest.feature
    if feature.label:
        by_builds = f"by builds: left out of {', '.join(feature.off)}"
        facts.append((f"Switched ({feature.label})", ", ".join(feature.disabled) or by_builds))
    return tuple(facts)


def _models(run: RunData) -> Facts:
    """Return what identifies each program and its inputs, and what its export recorded."""
    programs = run.manifest.every_program
    agreements = [record.agreement for record in run.records] or [None] * len(programs)
    if len(programs) == 1:
        return _model(programs[0], run.export, agreements[0])
    names = program_names(programs)
    exports = run.exports or [None] * len(programs)
    return tuple(
        (f"{what}, {name}", value)
        for name, program, record, agreement in zip(names, programs, exports, agreements, strict=True)
        for what, value in _model(program, record, agreement)
    )


def _model(program: MeasuredProgram, export: ExportRecord | None, agreement: RecordedAgreement | None) -> Facts:
    model, record = program.model, export or {}
    inputs = "; ".join(f"{'×'.join(map(str, item.shape)) or 'scalar'} {item.dtype}" for item in program.inputs)
    facts = [
        ("File", model.path),
        ("Size", f"{model.bytes:,} bytes"),
        ("SHA-256", model.sha256),
        ("Inputs", inputs or "none"),
    ]
    for key, name in (("parameters", "Parameters"), ("multiply_adds", "Multiply-adds")):
        if record.get(key) is not None:
            facts.append((name, f"{record[key]:,}"))
    delegation = record.get("delegation") or {}
    if delegation.get("delegated_operators") is not None:
        facts.append(
            (
                "Delegation",
                f"{count(delegation['delegated_operators'], 'operator')} in "
                f"{count(delegation.get('delegates', 0), 'XNNPACK delegate')}, "
                f"{delegation.get('portable_operators', 0)} in portable kernels",
            )
        )
    return (*facts, ("Agreement with the eager model", agreement_words(agreement)))


def _versions(run: RunData) -> Facts:
    """Return the versions of everything that ran."""
    manifest, executorch = run.manifest, run.manifest.executorch
    facts = [
        ("ExecuTorch", executorch.version),
        ("ExecuTorch git SHA", executorch.git_sha),
        ("Kit", manifest.kit_version),
    ]
    if manifest.host.get("python"):
        facts.append(("Python", str(manifest.host["python"])))
    facts += _distinct_runners(manifest.runner).items()
    return (
        *facts,
        ("Seed", str(manifest.seed)),
        ("Started", manifest.started),
        ("Finished", manifest.finished or "not yet"),
    )


def _distinct_runners(runners: Mapping[str, RunnerDescription]) -> dict[str, str]:
    """Describe each runner once, under the names of the experiments that used it."""
    names: dict[str, list[str]] = {}
    for name, described in runners.items():
        words = [str(described.get("name") or "runner")]
        build = described.get("build")
        if isinstance(build, dict):
            words.append(f"{build['variant']}, built from the sources of ExecuTorch {build['executorch_version']}")
        words += [str(described[key]) for key in ("version", "compiler") if described.get(key)]
        words += [f"SHA-256 {described['sha256']}"] if described.get("sha256") else []
        names.setdefault(", ".join(words), []).append(name)
    if len(names) == 1:
        return {"Runner": next(iter(names))}
    return {f"Runner of {listed(group)}": text for text, group in names.items()}
