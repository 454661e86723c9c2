# SPDX-License-Identifier: Apache-2.0
"""The steps of sweep.py: the plan, what is missing of it, the sweep itself, what it leaves."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

from model_profiling.console import say
from model_profiling.errors import MeasurementError
from model_profiling.fleet.config import SweepConfig, load_sweep_config
from model_profiling.fleet.directory import SweepDirectory, SweepRecord
from model_profiling.fleet.performing import Performer, PerformingOptions
from model_profiling.fleet.plan import Cell, make_plan
from model_profiling.fleet.scheduler import LocalScheduler, Scheduler
from model_profiling.fleet.sweep import Sweep, carry_out, missing_jobs, note_finished
from model_profiling.pipeline.run_directory import RunDirectory, utc_now
from model_profiling.report.words.sweep import failure, plan_lines, standing
from model_profiling.scripts.fleet_flags import Fleet

_SEEDS = 2**31


def show_plan(path: Path, options: PerformingOptions, only: Sequence[str] | None) -> None:
    """Print what a sweep would do, and change nothing.

    Raises
    ------
    UserError : the configuration is wrong, or there is no cell of a name in `only`.
    """
    config = load_sweep_config(path)
    directory = SweepDirectory(config.output_root)
    record = _record(config, directory, options)
    sweep = Sweep(make_plan(config, record.seed), directory, record)
    wanted = sweep.plan.only(only) if only else sweep.plan
    jobs = missing_jobs(wanted, Performer(directory, options))
    estimate = sweep.estimate(options.quick)
    cells = [job.name for job in jobs if isinstance(job, Cell)]
    programs = [job.name for job in jobs if not isinstance(job, Cell) and job.exported]
    finished = len(wanted.cells) - len(cells)
    for line in plan_lines(programs, cells, sweep.plan.left_out, finished, estimate.total(jobs), estimate.measured):
        say(line)


def sweep(
    path: Path, options: PerformingOptions, only: Sequence[str] | None, resume: bool, fleet: Fleet | None
) -> None:
    """Carry a sweep out, or what is missing of it.

    Raises
    ------
    UserError : the configuration is wrong, its folder holds something else, or another sweep writes there.
    MeasurementError : cells failed; all others are done.
    """
    config = load_sweep_config(path)
    directory = SweepDirectory(config.output_root)
    record = _record(config, directory, options)
    plan = make_plan(config, record.seed)
    wanted = plan.only(only) if only else plan
    directory.check(record, options.quick, resume)
    with _scheduler(fleet, options) as scheduler_of, RunDirectory(directory.root).locked():
        going = Sweep(plan, directory, directory.begin(config.plain, record))
        performer = Performer(directory, options)
        note_finished(wanted, performer)
        jobs = missing_jobs(wanted, performer)
        try:
            summary = carry_out(going, jobs, scheduler_of(going))
        except KeyboardInterrupt:
            say(f"what was measured is kept: add --resume to go on with {directory.root}")
            raise
    say()
    say(standing(summary))
    for file in (directory.page, directory.table, directory.summary):
        say(f"  {file}")
    asked = {cell.name for cell in wanted.cells}
    failed = [cell for cell in summary.failed if cell.name in asked]
    if failed:
        raise MeasurementError(failure(failed, len(asked), str(directory.page)))


@contextmanager
def _scheduler(fleet: Fleet | None, options: PerformingOptions) -> Iterator[Callable[[Sweep], Scheduler]]:
    """Yield what makes a sweep's scheduler: one of a fleet has to be reached before anything is begun."""
    if fleet is None:
        yield lambda sweep: LocalScheduler(Performer(sweep.directory, options).perform)
        return
    from model_profiling.fleet.hosts.connection import Connection
    from model_profiling.fleet.hosts.fleet_scheduler import FleetScheduler

    with closing(Connection(fleet.address, fleet.certificates)) as connection:
        yield lambda sweep: FleetScheduler(connection, sweep, options)


def _record(config: SweepConfig, directory: SweepDirectory, options: PerformingOptions) -> SweepRecord:
    """Return what the sweep goes by: as it began, else new; a seed of the configuration goes first."""
    before = directory.read_record()
    if before is not None:
        return before if config.seed is None else replace(before, seed=config.seed)
    seed = secrets.randbelow(_SEEDS) if config.seed is None else config.seed
    return SweepRecord(config.plain, seed, options.quick, utc_now())
