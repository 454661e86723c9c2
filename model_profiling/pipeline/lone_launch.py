# SPDX-License-Identifier: Apache-2.0
"""One launch of a program by itself, in a folder of its own, as a side of a run would make it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from model_profiling.pipeline.config import TIMING, Config
from model_profiling.pipeline.devices import Device
from model_profiling.pipeline.input_files import prepare_inputs
from model_profiling.pipeline.launching import Executions, Launcher, Place, PreparedExperiment
from model_profiling.pipeline.measured_programs import ProgramFiles
from model_profiling.pipeline.run_directory import RunDirectory

_SEED = 0


def launch_alone(
    program: Path, prepared: PreparedExperiment, threads: int, executions: Executions, device: Device, folder: Path
) -> tuple[RunDirectory, Config]:
    """Run `program` once with the runner, features and cores of `prepared`; return what it left, and as what.

    The launch counts however busy the machine is: nothing tells what an undisturbed one would have shown.

    Raises
    ------
    UserError, MeasurementError : it does not run there.
    """
    experiment = replace(
        prepared.experiment,
        mode=TIMING,
        runs=executions.timed,
        warmup=1,
        traced_runs=executions.traced,
        threads=(threads,),
        inputs=(),
        model=None,
        method=None,
        input_shapes=(),
        data_path=None,
    )
    directory = RunDirectory(folder)
    config = Config(program, folder, (experiment,), pairs=1)
    [inputs] = prepare_inputs(config, directory, _SEED).values()
    files = ProgramFiles(program, tuple(Path(item.file) for item in inputs))
    launcher = Launcher(directory, device, {experiment.name: files}, _SEED, None)
    place = Place(pair=0, threads=threads, attempt=0, order=0, index=0)
    launcher.launch(replace(prepared, experiment=experiment), place, executions, ())
    return directory, config
