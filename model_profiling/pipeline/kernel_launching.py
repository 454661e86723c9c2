# SPDX-License-Identifier: Apache-2.0
"""The launches of a run that record kernels: one for each experiment and thread count, made once."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from model_profiling.errors import MeasurementError
from model_profiling.files import make_folder, sha256, writing
from model_profiling.pipeline.config import KERNELS
from model_profiling.pipeline.devices import Device
from model_profiling.pipeline.kernel_launches import KernelLaunch, append_kernel_launch, read_kernel_launches, standing
from model_profiling.pipeline.kernel_recording import KernelRecording, read_recording, recording_request, run_recording
from model_profiling.pipeline.launching import PreparedExperiment
from model_profiling.pipeline.measured_programs import ProgramFiles
from model_profiling.pipeline.run_directory import RunDirectory, utc_now
from model_profiling.pipeline.runners import LaunchRequest
from model_profiling.wording import count


class KernelLauncher:
    """Makes such launches on one device into one run directory."""

    def __init__(
        self, directory: RunDirectory, device: Device, programs: Mapping[str, ProgramFiles], seed: int
    ) -> None:
        self._directory, self._device = directory, device
        self._programs, self._seed = programs, seed
        self._made = set(standing(read_kernel_launches(directory)))

    def record(self, prepared: PreparedExperiment, threads: int) -> bool:
        """Make an experiment's launch, keep what it left and record it; False where it was made before.

        Raises
        ------
        MeasurementError : the model failed, or its kernels were not recorded; the failed
            launch is recorded first.
        """
        experiment = prepared.experiment
        if (experiment.name, threads) in self._made:
            return False
        log = self._kept(prepared, threads, ".log")
        make_folder(log.parent)
        with writing(log):
            log.unlink(missing_ok=True)  # of a launch that failed: what a log names must be of one process
        shutil.rmtree(self._directory.work, ignore_errors=True)  # what a killed launch left
        work = make_folder(self._directory.work)
        try:
            self._launch(prepared, threads, log, work)
        finally:
            shutil.rmtree(work, ignore_errors=True)
        return True

    def _launch(self, prepared: PreparedExperiment, threads: int, log: Path, work: Path) -> None:
        request, started = self._request(prepared, threads, log, work), utc_now()
        child = run_recording(self._device, prepared.runner, request, work, prepared.affinity)
        launch = KernelLaunch(
            experiment=prepared.experiment.name,
            mode=prepared.experiment.mode,
            threads=threads,
            started=started,
            runner=prepared.runner.name,
            argv=child.argv,
            exit_code=child.exit_code,
            signal=child.signal,
            duration_s=round(child.duration_s, 6),
        )
        try:
            home = request.at_home(self._programs[prepared.experiment.name], work.resolve())
            recording = read_recording(prepared.runner, home, child, work)
        except MeasurementError as error:
            append_kernel_launch(self._directory, replace(launch, failed=str(error)))
            raise MeasurementError(f"{prepared.experiment.name} ({count(threads, 'thread')}): {error}") from error
        append_kernel_launch(
            self._directory,
            replace(
                launch,
                files=self._keep(prepared, threads, recording),
                masked_cpu_features=recording.measurement.masked_cpu_features,
                active_cpu_features=recording.measurement.active_cpu_features,
            ),
        )

    def _request(self, prepared: PreparedExperiment, threads: int, log: Path, work: Path) -> LaunchRequest:
        device, program = self._device, self._programs[prepared.experiment.name]
        request = recording_request(
            program.pushed(device.push),
            prepared.disabled,
            threads,
            device.workspace(work),
            log,
            self._seed,
            prepared.experiment.extra_args,
        )
        if prepared.experiment.mode == KERNELS:
            return request
        return replace(request, runs=1, traced_runs=0, kernel_record=None)  # an executor_runner traces its one phase

    def _keep(self, prepared: PreparedExperiment, threads: int, recording: KernelRecording) -> dict[str, str]:
        """Move what the launch left into its place; return the digests by path."""
        written = {".log": None, ".etdump": recording.etdump}  # the log lies in its place already
        if recording.record is not None:
            written[".kernels"] = recording.record
        digests = {}
        for suffix, file in written.items():
            kept = self._kept(prepared, threads, suffix)
            if file is not None:
                with writing(kept):
                    os.replace(file, kept)
            digests[kept.relative_to(self._directory.root).as_posix()] = sha256(kept)
        return digests

    def _kept(self, prepared: PreparedExperiment, threads: int, suffix: str) -> Path:
        return self._directory.kernel_raw(prepared.experiment.name, threads, suffix)
