# SPDX-License-Identifier: Apache-2.0
"""Before the first launch: check everything that can be checked, then open the run directory."""

from __future__ import annotations

import secrets
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from model_profiling import __version__
from model_profiling.errors import UserError
from model_profiling.pipeline.build_pairs import switched_by_builds
from model_profiling.pipeline.calibration import find_noise_floor
from model_profiling.pipeline.config import KERNELS, LOCKSTEP, QUICK_PAIRS, TIMING, XNNTRACE, Config, Experiment
from model_profiling.pipeline.cpu import affinity, claims
from model_profiling.pipeline.cpu import features as cpu_features
from model_profiling.pipeline.devices import Device
from model_profiling.pipeline.launching import PreparedExperiment
from model_profiling.pipeline.manifest import ExecuTorchVersion, Manifest, SwitchedFeature
from model_profiling.pipeline.measured_programs import MeasuredProgram
from model_profiling.pipeline.programs import changed_programs, tokens_computed
from model_profiling.pipeline.run_directory import RunDirectory, utc_now
from model_profiling.pipeline.runners import Runner
from model_profiling.pipeline.runners.executor_runner import ExecutorRunner
from model_profiling.pipeline.runners.native import NativeRunner
from model_profiling.pipeline.runners.wheel import installed_wheel
from model_profiling.pipeline.sizing import no_turns

_PROBES_FOR_BASELINE = 5


@dataclass(frozen=True)
class RunOptions:
    """How a run was asked for on the command line."""

    config_path: Path
    command_line: str
    resume: bool = False
    quick: bool = False
    calibration: bool = False
    precision_percent: float | None = None
    seed: int | None = None
    verbose: bool = False
    time_budget_s: float | None = None


def prepare_experiments(config: Config, device: Device) -> tuple[list[PreparedExperiment], SwitchedFeature]:
    """Resolve runners, features and cores; return them ready to launch, and what they differ in.

    Raises
    ------
    UserError : a feature that the CPU lacks, a runner or core that is not there.
    """
    pairs, feature = _switched_features(config, device)
    prepared = [
        PreparedExperiment(
            experiment=e,
            runner=runner_of(e, device),
            disabled=pairs[e.name].disabled if e.name in pairs else (),
            affinity=device.check_cores(affinity.resolve(e.cpu_affinity, device.max_frequency_khz())),
        )
        for e in config.experiments
    ]
    if config.order == LOCKSTEP:
        _check_turns(prepared, device)
    features = device.cpu_features()
    builds = switched_by_builds(
        config.compare_pairs,
        {one.experiment.name: one.runner.path for one in prepared if isinstance(one.runner, ExecutorRunner)},
        features,
    )
    masked = [name for e in config.timed if e.name in pairs for name in pairs[e.name].disabled]
    claims.check_claim([*masked, "sme2"] if builds and builds.label else masked, features, device.virtual)
    return prepared, feature if pairs else builds or feature


def _check_turns(prepared: Sequence[PreparedExperiment], device: Device) -> None:
    """Raise the `UserError` of a configuration whose launches cannot take turns."""
    reason = no_turns([one for one in prepared if one.experiment.mode == TIMING], device)
    if reason:
        raise UserError(reason, 'in "order" of the config', 'remove the key, or use "launches"')


def _switched_features(config: Config, device: Device) -> tuple[dict[str, cpu_features.FeaturePair], SwitchedFeature]:
    """Return what each experiment that switches features off clears, and all of it for the manifest.

    Raises
    ------
    UserError : a feature that the CPU lacks or nobody knows.
    """
    features = device.cpu_features()
    pairs = {
        e.name: cpu_features.resolve(e.disable_cpu_features, features)
        for e in config.experiments
        if e.disable_cpu_features
    }
    if not pairs:
        return pairs, SwitchedFeature(None, (), None, "No CPU feature is switched between these experiments.")
    name, pair = next(iter(pairs.items()))
    requested = config.experiment(name).disable_cpu_features
    return pairs, SwitchedFeature(pair.label, pair.disabled, requested, pair.sentence)


def runner_of(experiment: Experiment, device: Device) -> Runner:
    """Return an experiment's runner, one that can do what its mode and its features ask for.

    Raises
    ------
    UserError : it is not there, cannot record kernels here or cannot switch features off.
    """
    recording = experiment.mode == KERNELS
    runner = device.runner(
        "native" if recording and experiment.runner == "auto" else experiment.runner, experiment.runner_path
    )
    if recording and not (isinstance(runner, NativeRunner) and runner.build.auditor):
        raise UserError(
            f"the {runner.name} runner cannot record kernel calls here",
            f'in "mode" of {experiment.name}',
            f'use the native runner on Arm Linux, preview_sme2.py for an emulated CPU, or mode "{XNNTRACE}" '
            "with a source-built executor_runner that logs",
        )
    if experiment.mode == XNNTRACE and not isinstance(runner, ExecutorRunner):
        raise UserError(
            f"the {runner.name} runner logs no kernels",
            f'in "mode" of {experiment.name}',
            f'name an xnntrace build of executor_runner in "runner_path", or use mode "{KERNELS}" where it can record',
        )
    if experiment.disable_cpu_features and isinstance(runner, ExecutorRunner):
        raise UserError(
            "an executor_runner cannot clear CPU features",
            f'in "disable_cpu_features" of {experiment.name}',
            "leave it out and give each experiment a runner_path of its own build, or use the native runner",
        )
    return runner


def new_manifest(
    config: Config,
    device: Device,
    options: RunOptions,
    prepared: Sequence[PreparedExperiment],
    feature: SwitchedFeature,
    programs: Sequence[MeasuredProgram],
    seed: int,
) -> Manifest:
    """Return the manifest of a run of these programs that begins now."""
    features, wheel = device.cpu_features(), installed_wheel()
    probes = [p for p in (device.probe_ns() for _ in range(_PROBES_FOR_BASELINE)) if p is not None]
    return Manifest(
        kit_version=__version__,
        config_json=config.to_json(),
        config_path=str(options.config_path),
        command_lines=(options.command_line,),
        model=programs[0].model,
        executorch=ExecuTorchVersion(wheel.version, wheel.git_sha),
        runner={one.experiment.name: one.runner.describe() for one in prepared},
        disabled={one.experiment.name: one.disabled for one in prepared},
        affinity={one.experiment.name: one.affinity for one in prepared},
        affinity_mask={one.experiment.name: affinity.mask(one.affinity) if one.affinity else None for one in prepared},
        device=device.name,
        emulated=device.emulated,
        host=device.describe(),
        cpu=features,
        feature=feature,
        seed=seed,
        quick=options.quick,
        calibration=options.calibration,
        pairs=QUICK_PAIRS if options.quick else config.pairs,
        noise_floor=None if options.calibration else find_noise_floor(config, features.model_name),
        precision_percent=options.precision_percent,
        probe_baseline_ns=round(statistics.median(probes)) if probes else None,
        inputs=programs[0].inputs,
        programs=tuple(programs) if len(programs) > 1 else (),
        tokens=tokens_computed(config),
        started=utc_now(),
    )


def choose_seed(config: Config, options: RunOptions) -> int:
    """Return the seed asked for, or draw one; either way it is recorded."""
    if options.seed is not None:
        return options.seed
    return secrets.randbelow(2**31) if config.seed is None else config.seed


def check_resumable(manifest: Manifest, config: Config, options: RunOptions) -> None:
    """Refuse to add launches to a run that was of something else."""
    where = f"in --resume of {config.output_root}"
    if manifest.config.to_json() != config.to_json():
        raise UserError(
            "the configuration has changed since this run began",
            where,
            "restore it, or run without --resume to begin anew",
        )
    for model in changed_programs(manifest, config):
        raise UserError(
            f"the model {model} has changed since this run began",
            where,
            "restore it, or run without --resume to begin anew",
        )
    if options.seed not in (None, manifest.seed):
        raise UserError(f"this run has the seed {manifest.seed}", where, "leave --seed out")
    if manifest.quick != options.quick or manifest.calibration != options.calibration:
        raise UserError(
            "--quick and --aa must be as when this run began",
            where,
            f"{'add' if manifest.quick else 'leave out'} --quick, "
            f"{'add' if manifest.calibration else 'leave out'} --aa",
        )


def open_directory(directory: RunDirectory, resume: bool) -> str | None:
    """Make way for a run; return the sentence to print when an older one was set aside.

    Raises
    ------
    UserError : the folder holds files of somebody else, or another run writes to it.
    """
    root = directory.root
    if root.exists() and not root.is_dir():
        raise UserError(f"{root} is a file", 'in "output_root" of the config', "name a folder")
    if directory.exists() and resume:
        return None
    held = [p.name for p in root.iterdir() if p.name not in (".lock", ".work", "inputs")] if root.is_dir() else []
    if held and not directory.exists():
        raise UserError(
            f"the folder holds files that are not of a run ({sorted(held)[0]})",
            f'at {root} ("output_root" of the config)',
            "name a new or empty folder",
        )
    if not directory.exists():
        return None
    with directory.locked():
        state = "finished" if directory.is_finished() else "unfinished"
        return f"An earlier, {state} run was set aside: {directory.set_aside()}"
