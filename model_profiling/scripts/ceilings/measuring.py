# SPDX-License-Identifier: Apache-2.0
"""The ceilings of a run's sides: from the cache where they were measured today, else measured now.

A side is what its runner, its features, its cores and its threads make it; each is measured by one launch of the
ceilings' program in each recipe that the run's layers have, once for a machine and day.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

from model_profiling.analysis.advice.ceilings import fastest_rates
from model_profiling.analysis.advice.roofline import FALLS_BACK_TO
from model_profiling.analysis.comparing.sides import collect_sides, counting_blocks
from model_profiling.analysis.program_layers import ProgramLayers
from model_profiling.console import say
from model_profiling.errors import KitError, MeasurementError, UserError
from model_profiling.files import cache_folder, sha256
from model_profiling.pipeline.ceilings import Ceilings, MeasuredRates, MemoryRate, SideCeilings
from model_profiling.pipeline.config import Config
from model_profiling.pipeline.cpu.features import FLOAT16_ARITHMETIC
from model_profiling.pipeline.devices import Device
from model_profiling.pipeline.launching import Executions, PreparedExperiment
from model_profiling.pipeline.lone_launch import launch_alone
from model_profiling.pipeline.program.layers import build_graph
from model_profiling.pipeline.program.workload import Workload
from model_profiling.pipeline.run_directory import utc_now
from model_profiling.pipeline.runners.wheel import installed_wheel
from model_profiling.report.words.rates import rate_unit
from model_profiling.scripts.ceilings.program import ceilings_program

#: Set where no run is to measure or to use ceilings, as by this project's own tests: same as `"ceilings": false`.
OFF_VARIABLE = "SME2_NO_CEILINGS"
#: How long a machine's ceilings stand, as its noise floor does: clocks, firmware and neighbors change.
FRESH_FOR = timedelta(hours=24)
#: Executions of a launch: the fastest counts, so that a few undisturbed ones are enough.
_EXECUTIONS = Executions(timed=1, traced=12)
_DEFAULT_RECIPE = "fp32"
#: Of a description of the device, what may change from run to run and changes no ceiling.
_PASSING = frozenset(("python",))


@dataclass(frozen=True, eq=False)
class _Side:
    """What is measured by one launch: a side, at one thread count, with one recipe."""

    prepared: PreparedExperiment
    threads: int
    recipe: str
    conditions: Mapping[str, object]

    @property
    def kept(self) -> Path:
        """Where the cache has it."""
        text = json.dumps(self.conditions, sort_keys=True)
        return cache_folder() / "ceilings" / f"{hashlib.sha256(text.encode()).hexdigest()[:24]}.json"


def run_ceilings(
    config: Config, device: Device, prepared: Sequence[PreparedExperiment], off: Sequence[str], measure: bool
) -> Ceilings | None:
    """Return the ceilings of a run's timed sides, None where there are none; a failure is said and ends nothing.

    Parameters
    ----------
    off : the experiments whose runner was built without the feature.
    measure : whether to measure what the cache lacks, or what it has is all.
    """
    if not config.ceilings or device.emulated or os.environ.get(OFF_VARIABLE):
        return None
    try:
        return _ceilings(config, device, prepared, off, measure)
    except KitError as problem:
        say(f"ceilings are not known: {problem}")
        return None


def _ceilings(
    config: Config, device: Device, prepared: Sequence[PreparedExperiment], off: Sequence[str], measure: bool
) -> Ceilings | None:
    timed = {experiment.name for experiment in config.timed}
    known: dict[Path, MeasuredRates] = {}
    sides: dict[tuple[Path, ...], SideCeilings] = {}
    for one in (one for one in prepared if one.experiment.name in timed):
        arithmetic = FLOAT16_ARITHMETIC & device.cpu_features().names - set(one.disabled)
        recipes = _recipes(config.workload(one.experiment.name))
        if not arithmetic:
            recipes = list(dict.fromkeys([*recipes, *(FALLS_BACK_TO.get(recipe, recipe) for recipe in recipes)]))
        for threads in one.experiment.threads:
            found = {}
            for side in (_side(one, threads, recipe, device) for recipe in recipes):
                rates = known.get(side.kept) or _fresh(side.kept) or (_measured(side, device) if measure else None)
                if rates is not None:
                    found[side] = known[side.kept] = rates
            if found:
                _add(sides, found, one.experiment.name not in off and not one.disabled)
    if not sides:
        return None
    oldest = min(rates.measured for rates in known.values())
    conditions = {path.stem: dict(rates.conditions) for path, rates in known.items()}
    return Ceilings(oldest, conditions, tuple(sides.values()))


def _add(sides: dict[tuple[Path, ...], SideCeilings], found: Mapping[_Side, MeasuredRates], feature_on: bool) -> None:
    """Add the ceilings of an experiment, or its name to those that run alike; its main recipe moved the memory."""
    first = next(iter(found))
    key, name = tuple(side.kept for side in found), first.prepared.experiment.name
    names = (*sides[key].experiments, name) if key in sides else (name,)
    peaks = {side.recipe: rates.peak_gops for side, rates in found.items()}
    sides[key] = SideCeilings(names, first.threads, feature_on, peaks, found[first].rates)


def _recipes(workload: Workload) -> list[str]:
    """Return the recipes of a program's layers, that of most multiply-adds first."""
    work: dict[str, int] = {}
    for instruction in build_graph(workload):
        for place in instruction.nodes or (instruction,):
            if place.recipe and place.multiply_adds:
                work[place.recipe] = work.get(place.recipe, 0) + place.multiply_adds
    return sorted(work, key=lambda recipe: -work[recipe]) or [_DEFAULT_RECIPE]


def _side(one: PreparedExperiment, threads: int, recipe: str, device: Device) -> _Side:
    cpu, runner = device.cpu_features(), one.runner.describe()
    conditions = {
        "recipe": recipe,
        "threads": threads,
        "disabled": list(one.disabled),
        "cores": list(one.affinity) if one.affinity else None,
        "runner": {key: runner.get(key) for key in ("name", "sha256")},
        "executorch": installed_wheel().version,
        "cpu": {"model_name": cpu.model_name, "cores": cpu.cores},
        "device": device.name,
        "host": {key: str(value) for key, value in device.describe().items() if key not in _PASSING},
        "program": sha256(Path(__file__).with_name("ceilings_program.py")),
    }
    return _Side(one, threads, recipe, conditions)


def _fresh(path: Path) -> MeasuredRates | None:
    """Return what the cache has, where it is not too old; a damaged file is as good as none."""
    if not path.is_file():
        return None
    try:
        rates = MeasuredRates.read(path)
        age = datetime.now(timezone.utc) - datetime.fromisoformat(rates.measured.replace("Z", "+00:00"))
    except (UserError, ValueError, TypeError):
        return None
    return rates if timedelta() <= age <= FRESH_FOR else None


def measured_rates(
    program: Path, prepared: PreparedExperiment, threads: int, device: Device
) -> tuple[float, tuple[MemoryRate, ...]]:
    """Run the ceilings' program once as `prepared` runs; return its peak and the rates of memory (`fastest_rates`).

    Raises
    ------
    UserError, MeasurementError : it does not run there, or leaves no trace.
    """
    name = prepared.experiment.name
    with tempfile.TemporaryDirectory(prefix="ceilings-") as folder:
        directory, config = launch_alone(program, prepared, threads, _EXECUTIONS, device, Path(folder) / "run")
        layers = {name: ProgramLayers(build_graph(Workload(program)))}
        [side] = collect_sides(directory, config, counting_blocks(directory.read_launches(), config), layers)
        if not side.recordings:
            raise MeasurementError(f"the runner of {name} leaves no traces")
        return fastest_rates(side)


def _measured(side: _Side, device: Device) -> MeasuredRates:
    program = ceilings_program(side.recipe)
    peak, rates = measured_rates(program, side.prepared, side.threads, device)
    entry = MeasuredRates(utc_now(), side.conditions, peak, rates)
    entry.write(side.kept)
    say(_sentence(side, peak, rates))
    return entry


def _sentence(side: _Side, peak: float, rates: Sequence[MemoryRate]) -> str:
    whole = SideCeilings((), side.threads, True, {side.recipe: peak}, tuple(rates)).bandwidth_gb_s()
    threads = f"{side.threads} thread{'s' if side.threads > 1 else ''}"
    rates_told = f"{peak:.3g} {rate_unit([side.recipe])} in {side.recipe}, {whole:.3g} GB/s"
    return f"ceilings of {side.prepared.experiment.name}, {threads}: {rates_told}"
