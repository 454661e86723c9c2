# SPDX-License-Identifier: Apache-2.0
"""Check all that a run would need, without running it: every problem is found, not the first alone."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from model_profiling.errors import UserError
from model_profiling.files import read_json, sha256
from model_profiling.findings import OK, Finding, error, ok, warning
from model_profiling.pipeline import preparation
from model_profiling.pipeline.config import Config, load_config
from model_profiling.pipeline.devices import Device
from model_profiling.pipeline.input_files import prepare_inputs
from model_profiling.pipeline.program.workload import resolve
from model_profiling.pipeline.run_directory import RunDirectory
from model_profiling.wording import count

#: A run of a small model leaves a few MiB; ETDumps of large ones reach hundreds.
_MIN_FREE_BYTES = 200 << 20


def check_config(path: Path, device: Device) -> list[Finding]:
    """Return one finding for each check of the configuration at `path` on `device`."""
    try:
        config = load_config(path)
    except UserError as problem:
        return [error("config", f"{problem.what}, {problem.where}", problem.fix)]
    findings = [ok("config", f"{len(config.experiments)} experiments, {config.pairs} pairs")]
    for name, check in _CHECKS.items():
        try:
            findings.append(check(config, device))
        except UserError as problem:
            finding = error(name, f"{problem.what}, {problem.where}", problem.fix)
            # A check may rest on what an earlier one looked at.
            if finding.message not in {earlier.message for earlier in findings}:
                findings.append(finding)
    return findings


def _model(config: Config, device: Device) -> Finding:
    told = []
    for workload in config.workloads:
        shapes = ", ".join(f"{list(spec.shape)} {spec.dtype}" for spec in resolve(workload).signature.inputs)
        method = f", {workload.method}" if workload.method else ""
        told.append(f"{workload.model}{method}: inputs {shapes}")
    return ok("model", "; ".join(told))


def _export_record(config: Config, device: Device) -> Finding:
    findings = [_record_of(model) for model in config.programs]
    wrong = [finding for finding in findings if finding.level != OK]
    return wrong[0] if wrong else ok("export record", ", ".join(finding.message for finding in findings))


def _record_of(model: Path) -> Finding:
    sidecar = model.with_suffix(".json")
    if not sidecar.is_file():
        return warning(
            "export record",
            f"{sidecar.name} does not lie beside the model",
            "export with export_model.py to have layers and input ranges",
        )
    record = read_json(sidecar, "export record")
    recorded = record.get("pte", {}).get("sha256") if isinstance(record, dict) else None
    if recorded != sha256(model):
        return error(
            "export record",
            f"{sidecar} describes another model than {model.name}",
            "export the model again, or remove the record",
        )
    return ok("export record", str(sidecar))


def _runners(config: Config, device: Device) -> Finding:
    runners = {e.name: preparation.runner_of(e, device) for e in config.experiments}
    for runner in runners.values():
        runner.describe()
    return ok("runners", ", ".join(f"{name}: {runner.name}" for name, runner in runners.items()))


def _features(config: Config, device: Device) -> Finding:
    return ok("features", preparation.prepare_experiments(config, device)[1].sentence)


def _inputs(config: Config, device: Device) -> Finding:
    with tempfile.TemporaryDirectory() as folder:
        inputs = prepare_inputs(config, RunDirectory(Path(folder)), seed=0)
    counts = ", ".join(dict.fromkeys(count(len(files), "input") for files in inputs.values()))
    return ok("inputs", counts if len(inputs) == 1 else f"{counts} for each of {len(inputs)} programs")


def _comparisons(config: Config, device: Device) -> Finding:
    if len(config.timed) < 2:
        return ok("comparisons", "nothing to compare: at most one experiment is timed")
    if not config.compare_pairs:
        return warning("comparisons", "analysis.compare_pairs is empty", "name [baseline, candidate] to compare")
    for baseline, candidate in config.compare_pairs:
        first, second = config.experiment(baseline), config.experiment(candidate)
        if (first.runs, first.traced_runs, first.cpu_affinity) != (
            second.runs,
            second.traced_runs,
            second.cpu_affinity,
        ):
            return warning(
                "comparisons",
                f"{baseline} and {candidate} differ in more than what is compared",
                "give both the same runs, traced_runs and cpu_affinity",
            )
    return ok("comparisons", ", ".join(f"{b} against {c}" for b, c in config.compare_pairs))


def _threads(config: Config, device: Device) -> Finding:
    cores, most = device.cpu_features().cores, max(t for e in config.experiments for t in e.threads)
    if most > cores:
        return warning("threads", f"{most} threads on {cores} cores", "use at most as many as there are cores")
    return ok("threads", f"at most {most} on {cores} cores")


def _output(config: Config, device: Device) -> Finding:
    root = config.output_root
    if root.exists() and not root.is_dir():
        return error("output folder", f"{root} is a file", 'name a folder in "output_root"')
    parent = next(p for p in (root, *root.absolute().parents) if p.is_dir())
    if not _writable(parent):
        return error("output folder", f"{parent} cannot be written", "correct its permissions or choose another folder")
    status = os.statvfs(parent)
    if status.f_bavail * status.f_frsize < _MIN_FREE_BYTES:
        return error(
            "output folder",
            f"less than {_MIN_FREE_BYTES >> 20} MiB are free at {parent}",
            "free space or choose another folder",
        )
    directory = RunDirectory(root)
    if directory.exists():
        state = "a finished" if directory.is_finished() else "an unfinished"
        return warning("output folder", f"{root} holds {state} run", "the next run sets it aside under a dated name")
    if root.is_dir() and any(root.iterdir()):
        return error("output folder", f"{root} holds files that are not of a run", "name a new or empty folder")
    return ok("output folder", str(root))


def _writable(folder: Path) -> bool:
    # Asking the file system beats reading permission bits, which root, ACLs and
    # read-only mounts make meaningless.
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


_CHECKS: dict[str, Callable[[Config, Device], Finding]] = {
    "model": _model,
    "export record": _export_record,
    "runners": _runners,
    "features": _features,
    "inputs": _inputs,
    "comparisons": _comparisons,
    "threads": _threads,
    "output folder": _output,
}
