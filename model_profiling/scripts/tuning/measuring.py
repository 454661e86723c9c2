# SPDX-License-Identifier: Apache-2.0
"""Comparisons of a tuning: each an ordinary run of two programs in pairs, judged by the kit's own verdict."""

from __future__ import annotations

import time
from contextlib import redirect_stdout

from model_profiling.analysis.comparing.comparison import Comparison
from model_profiling.analysis.summary import ExperimentSummary
from model_profiling.analysis.tuning.gains import gains_ms
from model_profiling.analysis.tuning.record import CALIBRATION, FINAL, OUTSIDE, PLAIN, Rewrites, Trial
from model_profiling.analysis.tuning.strategy import Measure
from model_profiling.errors import MeasurementError
from model_profiling.files import write_bytes, write_json, writing
from model_profiling.json_objects import JsonObject
from model_profiling.pipeline import orchestrator
from model_profiling.pipeline.calibration import SUFFIX, calibration_config
from model_profiling.pipeline.config import Config, load_config
from model_profiling.pipeline.devices.kinds import open_device
from model_profiling.pipeline.preparation import RunOptions
from model_profiling.pipeline.run_directory import RunDirectory
from model_profiling.report.run_files import analyze_run
from model_profiling.scripts.pipeline_workflow import require_calibrated
from model_profiling.scripts.tuning.exporting import found_program, outside_of, replaced_operators
from model_profiling.scripts.tuning.folder import AFTER, BEFORE, TuningFolder
from model_profiling.scripts.tuning.request import TuningRequest

#: Traced executions of a launch: enough to see where the time is, and those of an ordinary run for the report.
_FEW_TRACED, _TRACED = 2, 10


def measure(request: TuningRequest, folder: TuningFolder, step: Measure) -> Trial:
    """Return what a comparison came to, measured unless its run is there; what the run says goes to the log.

    Raises
    ------
    MeasurementError : a program crashed, or no pair could be measured undisturbed.
    """
    began = time.monotonic()
    config_path, directory = folder.config(step), folder.run(step)
    write_json(config_path, _config(request, folder, step))
    config, calibrating = load_config(config_path), step.stage == CALIBRATION
    if calibrating:
        config = calibration_config(config)
    elif folder.calibration.noise_floor.is_file():
        floor = RunDirectory(directory.root.with_name(directory.root.name + SUFFIX)).noise_floor
        write_bytes(floor, folder.calibration.noise_floor.read_bytes())
    begun = _begun(directory, config) and not (calibrating and directory.is_finished())  # it failed: measured anew
    options = RunOptions(config_path, request.command_line, resume=begun, calibration=calibrating)
    with writing(folder.log), open(folder.log, "a", encoding="utf-8") as log, redirect_stdout(log):
        with open_device("local", config, share_cpu=True) as device:  # the whole tuning has the machine to itself
            orchestrator.run(config, device, options)
        analysis = analyze_run(directory)
    if not analysis.summary.comparisons:
        raise MeasurementError(f"no pair of {directory.root} could be measured undisturbed: try again with --resume")
    if calibrating:
        require_calibrated(directory)
    (compared,) = analysis.summary.comparisons
    before, after = (
        analysis.summary.experiments[name][request.threads] for name in (compared.baseline, compared.candidate)
    )
    return Trial(
        step.baseline,
        step.candidate,
        step.stage,
        str(directory.root.relative_to(folder.root)),
        time.monotonic() - began,
        compared.pairs,
        compared.speedup,
        compared.interval,
        compared.p_value,
        _floor(directory, request.threads) if calibrating else compared.noise_floor_percent,
        compared.verdict,
        before.time_ms or before.latency_ms.median,
        after.time_ms or after.latency_ms.median,
        _parts(before),
        _parts(after),
        _gains(request, folder, compared) if step.baseline == PLAIN and not calibrating else {},
    )


def _floor(directory: RunDirectory, threads: int) -> float | None:
    """Return the noise floor that a calibration found, in percent."""
    held = JsonObject.read(directory.noise_floor, "tune again in another --outdir")
    return held.within("noise_floor_percent").maybe_number(str(threads))


def _gains(request: TuningRequest, folder: TuningFolder, compared: Comparison) -> dict[str, float]:
    plain = found_program(folder.program(PLAIN), PLAIN)
    assert plain is not None  # it was measured
    return gains_ms(outside_of(plain), compared.operators, replaced_operators(request.asked.rewrites))


def _parts(side: ExperimentSummary) -> dict[str, float]:
    """Return the ms of a side's traced executions by category, and of what is outside XNNPACK."""
    return {} if side.traced is None else {**side.traced.categories_ms, OUTSIDE: side.traced.portable_ms}


def _config(request: TuningRequest, folder: TuningFolder, step: Measure) -> dict[str, object]:
    shared: dict[str, object] = {
        "threads": [request.threads],
        "traced_runs": _TRACED if step.stage == FINAL else _FEW_TRACED,
    }
    if request.method:
        shared["method"] = request.method
    if step.stage == CALIBRATION:
        root = folder.run(step).root
        return {
            "output_root": str(root.with_name(root.name.removesuffix(SUFFIX))),
            "pairs": step.pairs,
            "experiments": [{"name": "plain", "model": str(_pte(folder, PLAIN)), **shared}],
        }
    experiments = [
        {"name": name, "model": str(_pte(folder, rewrites)), **shared}
        for name, rewrites in ((BEFORE, step.baseline), (AFTER, step.candidate))
    ]
    return {
        "output_root": str(folder.run(step).root),
        "pairs": step.pairs,
        "experiments": experiments,
        "analysis": {"compare_pairs": [[BEFORE, AFTER]]},
    }


def _pte(folder: TuningFolder, rewrites: Rewrites) -> object:
    found = found_program(folder.program(rewrites), rewrites)
    assert found is not None  # only what was exported is measured
    return found.pte


def _begun(directory: RunDirectory, config: Config) -> bool:
    """Tell whether this very run was begun before."""
    return directory.exists() and directory.read_manifest().config.to_json() == config.to_json()
