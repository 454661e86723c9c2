# SPDX-License-Identifier: Apache-2.0
"""What two or more runs have in common and what not, as their manifests say. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from model_profiling.pipeline.manifest import ExecuTorchVersion, Manifest

#: Keys of an experiment's configuration whose effect is told in another way.
_NO_MATTER = frozenset(("name", "model", "threads", "runner", "runner_path", "disable_cpu_features"))
#: Facts that are lists of words, too long to show whole.
_SETS = frozenset(("CPU features",))
_ABSENT = "not in this run"
_SHA_DIGITS = 12  # as many as tell files apart, and fit a line


@dataclass(frozen=True)
class RunDifference:
    """One thing that runs do not share: what, and each run's value as text."""

    what: str
    values: tuple[str, ...]


def cpu_of(manifest: Manifest) -> tuple[str, str, str]:
    """Return what identifies the CPU that a run measured: device, architecture and model."""
    return manifest.device, manifest.cpu.architecture, manifest.cpu.model_name


def cpu_name(manifest: Manifest) -> str:
    """Return the CPU as people read it; the device is named where it is not this host."""
    device, architecture, model = cpu_of(manifest)
    return model if device == "local" else f"{model}, {architecture} ({device})"


def differences(manifests: Sequence[Manifest]) -> list[RunDifference]:
    """Return in what the runs differ, beyond when they were made; empty where in nothing."""
    facts = [run_facts(manifest) for manifest in manifests]
    names = dict.fromkeys(name for fact in facts for name in fact)
    differing = [(name, tuple(fact.get(name, _ABSENT) for fact in facts)) for name in names]
    differing = [(name, values) for name, values in differing if len(set(values)) > 1]
    if any(name == "architecture" for name, _ in differing):  # then all features differ, and that says nothing
        differing = [(name, values) for name, values in differing if name not in _SETS]
    return [RunDifference(name, _beyond_common(values) if name in _SETS else values) for name, values in differing]


def _beyond_common(values: Sequence[str]) -> tuple[str, ...]:
    """Shorten lists of words to those that not all of them hold."""
    common = set.intersection(*(set(value.split()) for value in values))
    return tuple(
        " ".join(word for word in value.split() if word not in common) or "only those that all have" for value in values
    )


def shared_facts(manifests: Sequence[Manifest]) -> dict[str, str]:
    """Return the main facts that all runs share, by name."""
    facts = [run_facts(manifest) for manifest in manifests]
    return {
        name: facts[0][name]
        for name in ("CPU", "model", "ExecuTorch", "kit")
        if len({fact[name] for fact in facts}) == 1
    }


def run_facts(manifest: Manifest) -> dict[str, str]:
    """Return what a run measured, and with what, as short texts by name."""
    cpu, executorch, model = manifest.cpu, manifest.executorch, manifest.model
    device, architecture, name = cpu_of(manifest)
    facts = {
        "device": device,
        "architecture": architecture,
        "CPU": name,
        "cores": str(cpu.cores),
        "CPU features": " ".join(sorted(cpu.names)),
        "system": _system(manifest),
        "model": model.id,
        "model file (SHA-256)": model.sha256[:_SHA_DIGITS],
        "ExecuTorch": _version(executorch),
        "kit": manifest.kit_version,
        "kind of run": _kind(manifest),
        "inputs": " ".join(item.sha256[:_SHA_DIGITS] for item in manifest.inputs),
    }
    experiments = manifest.config_json["experiments"]
    for experiment in experiments if isinstance(experiments, list) else ():
        facts |= _experiment_facts(manifest, experiment)
    return facts


def _experiment_facts(manifest: Manifest, experiment: Mapping[str, object]) -> dict[str, str]:
    name = str(experiment["name"])
    runner = manifest.runner.get(name) or {}
    program = manifest.program(name).model
    own = {f"{name}: program": f"{program.id} {program.sha256[:_SHA_DIGITS]}"} if manifest.programs else {}
    settings = {key: value for key, value in experiment.items() if key not in _NO_MATTER}
    return own | {
        f"{name}: features switched off": " ".join(manifest.disabled.get(name) or ()) or "none",
        f"{name}: runner": " ".join([str(runner.get("name")), str(runner.get("sha256") or "")[:_SHA_DIGITS]]).strip(),
        f"{name}: settings": ", ".join(
            f"{key} {value}" for key, value in sorted(settings.items()) if value not in (None, [])
        ),
    }


def _kind(manifest: Manifest) -> str:
    return "A/A calibration" if manifest.calibration else "quick" if manifest.quick else "full"


def _version(executorch: ExecuTorchVersion) -> str:
    sha = executorch.git_sha[:_SHA_DIGITS]
    return f"{executorch.version} ({sha})" if sha else executorch.version


def _system(manifest: Manifest) -> str:
    return " ".join(str(manifest.host[key]) for key in ("system", "release") if manifest.host.get(key))
