# SPDX-License-Identifier: Apache-2.0
"""Carry out a plan: every pair in order, void pairs again, more pairs while the stop rule asks."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from model_profiling.console import say
from model_profiling.errors import MeasurementError
from model_profiling.files import sha256
from model_profiling.pipeline import preparation
from model_profiling.pipeline.ceilings import Ceilings, KeptCeilings
from model_profiling.pipeline.config import KERNELS, LAUNCHES, Config
from model_profiling.pipeline.devices import Device
from model_profiling.pipeline.input_files import check_model_and_inputs, prepare_inputs
from model_profiling.pipeline.kernel_launching import KernelLauncher
from model_profiling.pipeline.launching import Launcher, PreparedExperiment
from model_profiling.pipeline.manifest import Manifest, SwitchedFeature
from model_profiling.pipeline.preparation import RunOptions
from model_profiling.pipeline.program_records import keep_records
from model_profiling.pipeline.programs import keep_graphs, launched_programs, measured_programs
from model_profiling.pipeline.run_directory import Launch, RunDirectory, utc_now
from model_profiling.pipeline.sizing import plan_run
from model_profiling.pipeline.time_budget import fit
from model_profiling.pipeline.timing import Timing
from model_profiling.wording import count

#: What tells of progress; the launches of a pair that stand, by experiment.
Advance = Callable[[str], object]
Held = dict[str, Launch]


#: What gives a run's ceilings: of its configuration, its device, its experiments made ready, and those of these that
#: a runner built without the feature runs.
CeilingsOf = Callable[[Config, Device, Sequence[PreparedExperiment], Sequence[str]], Ceilings | None]


def run(config: Config, device: Device, options: RunOptions, ceilings_of: CeilingsOf = lambda *_: None) -> RunDirectory:
    """Run every launch of the configuration; return the finished run directory.

    `ceilings_of` is asked once, before the first pair.

    Raises
    ------
    UserError : anything the user can fix, before the first launch.
    MeasurementError : a launch failed; what was measured stays and can be resumed.
    """
    directory = RunDirectory(config.output_root)
    prepared, feature = preparation.prepare_experiments(config, device)
    check_model_and_inputs(config)
    aside = preparation.open_directory(directory, options.resume)
    if aside:
        say(aside)
    with directory.locked():
        manifest = _manifest(config, device, options, directory, prepared, feature)
        say(_sentence(feature.sentence))
        if options.verbose:
            _say_prepared(prepared, manifest)
        try:
            with device.session():
                _Run(directory, device, config, prepared, manifest, options.time_budget_s, ceilings_of).to_the_end()
        except MeasurementError as error:
            again = "mend that and run again with --resume, or without it where the configuration must change"
            raise MeasurementError(f"{error}; {again}") from error
    return directory


def _manifest(
    config: Config,
    device: Device,
    options: RunOptions,
    directory: RunDirectory,
    prepared: Sequence[PreparedExperiment],
    feature: SwitchedFeature,
) -> Manifest:
    if directory.exists():
        manifest = directory.read_manifest()
        preparation.check_resumable(manifest, config, options)
        directory.drop_torn_lines()
        manifest = replace(manifest, command_lines=(*manifest.command_lines, options.command_line))
    else:
        seed = preparation.choose_seed(config, options)
        programs = measured_programs(config, prepare_inputs(config, directory, seed))
        manifest = preparation.new_manifest(config, device, options, prepared, feature, programs, seed)
    directory.write_manifest(manifest)
    keep_graphs(config, directory)
    keep_records(directory, manifest)
    return manifest


class _Run:
    """One run while it lasts: what is planned, what is done, what comes next."""

    def __init__(
        self,
        directory: RunDirectory,
        device: Device,
        config: Config,
        prepared: Sequence[PreparedExperiment],
        manifest: Manifest,
        time_budget_s: float | None,
        ceilings_of: CeilingsOf,
    ) -> None:
        self._ceilings_of = ceilings_of
        self._deadline = None if time_budget_s is None else time.monotonic() + time_budget_s
        self._directory, self._device, self._config, self._manifest = directory, device, config, manifest
        self._prepared = {one.experiment.name: one for one in prepared}
        files = launched_programs(config, manifest)
        self._launcher = Launcher(directory, device, files, manifest.seed, manifest.probe_baseline_ns)
        self._kernel_launcher = KernelLauncher(directory, device, files, manifest.seed)

    def to_the_end(self) -> None:
        """Make all launches that are missing, then mark the run as finished."""
        self._record_kernels()
        if self._config.timed:
            self._time()
        shutil.rmtree(self._directory.work, ignore_errors=True)
        if self._manifest.finished is None:
            finished = replace(
                self._manifest,
                finished=utc_now(),
                launches_sha256=_digest(self._directory.launches),
                kernel_launches_sha256=_digest(self._directory.kernel_launches),
                programs=tuple(
                    replace(program, graph_sha256=_digest(self._directory.graph(number)))
                    for number, program in enumerate(self._manifest.programs)
                ),
            )
            self._directory.write_manifest(finished)

    def _time(self) -> None:
        """Make the pairs, as the run began or as is decided now and kept."""
        if self._manifest.plan is None:
            # Launches of an earlier version of the kit were made one after the other, and so are those that they lack.
            begun = self._directory.launches.is_file() and bool(self._directory.read_launches())
            if not begun:
                self._keep_ceilings()
            config = replace(self._config, order=LAUNCHES) if begun else self._config
            plan, pairs = plan_run(config, self._prepared, self._launcher, self._device), self._manifest.pairs
            if self._deadline is not None:
                plan, pairs = fit(plan, config.timed, pairs, self._deadline - time.monotonic())
            self._manifest = replace(self._manifest, plan=plan, pairs=pairs)
            self._directory.write_manifest(self._manifest)
        timing = Timing(
            self._directory, self._device, self._config, self._manifest, self._prepared, self._launcher, self._deadline
        )
        self._manifest = replace(self._manifest, pairs=timing.to_the_end())

    def _keep_ceilings(self) -> None:
        """Keep what the machine can do at most, where it is known."""
        off = self._manifest.feature.off
        if ceilings := self._ceilings_of(self._config, self._device, tuple(self._prepared.values()), off):
            path = ceilings.write(self._directory.ceilings)
            self._manifest = replace(self._manifest, ceilings=KeptCeilings.of(ceilings, sha256(path)))

    def _record_kernels(self) -> None:
        """Make the launches that record kernels; one that was made before stands."""
        for experiment in self._config.recorded:
            for threads in experiment.threads:
                if self._kernel_launcher.record(self._prepared[experiment.name], threads):
                    what = "kernel calls" if experiment.mode == KERNELS else "registered kernels"
                    say(f"{experiment.name}: {what} recorded, {count(threads, 'thread')}")


def _digest(path: Path) -> str | None:
    return sha256(path) if path.is_file() else None


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}".rstrip(".") + "."


def _say_prepared(prepared: Sequence[PreparedExperiment], manifest: Manifest) -> None:
    say(
        f"CPU: {manifest.cpu.model_name}, {manifest.cpu.cores} cores; ExecuTorch "
        f"{manifest.executorch.version}; seed {manifest.seed}"
    )
    for one in prepared:
        off = ", ".join(one.disabled) or "nothing"
        pinned = f", pinned to cores {list(one.affinity)}" if one.affinity else ""
        runs = f" runs {manifest.program(one.experiment.name).model.path}" if manifest.programs else ""
        say(f"  {one.experiment.name}:{runs}{',' if runs else ''} {one.runner.name} runner, switches off {off}{pinned}")
