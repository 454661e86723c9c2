# SPDX-License-Identifier: Apache-2.0
"""Carrying a sweep out: what is missing is given to a scheduler, and what came of it is told and kept."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from model_profiling.analysis.sweeping.summary import DONE, FAILED, MISSING, FailedExport, SweepSummary, SweptCell
from model_profiling.console import timed_progress
from model_profiling.errors import UserError
from model_profiling.fleet.directory import JobNote, SweepDirectory, SweepRecord
from model_profiling.fleet.estimate import Remaining, TimeEstimate
from model_profiling.fleet.performing import Performer
from model_profiling.fleet.plan import Cell, Job, SweepPlan
from model_profiling.fleet.scheduler import Scheduler
from model_profiling.report.sweep_files import write_sweep
from model_profiling.report.words.sweep import beginning, ended

#: Results are written while a sweep goes on, at most this often, and for at most one in so many parts of the time.
_WRITE_EVERY_S, _WRITING_PART = 60.0, 50.0


@dataclass(frozen=True)
class Sweep:
    """A sweep that is carried out: `plan` is all of it, whatever part of it is done now."""

    plan: SweepPlan
    directory: SweepDirectory
    record: SweepRecord

    def estimate(self, quick: bool) -> TimeEstimate:
        """Return what jobs are expected to take, by those that are done."""
        known: list[tuple[Job, float]] = []
        jobs: list[Job] = [*self.plan.programs, *self.plan.cells]
        for job in jobs:
            note = _note_of(self.directory, job)
            if note is not None and note.done:
                known.append((job, note.seconds))
        return TimeEstimate(quick, known)

    def summary(self) -> SweepSummary:
        """Return how the sweep stands, by its files."""
        notes = {program.name: _note_of(self.directory, program) for program in self.plan.programs}
        return SweepSummary(
            self.record.kit_version,
            self.record.started,
            self.record.seed,
            self.record.quick,
            self.plan.left_out,
            tuple(_swept(cell, self.directory, _note_of(self.directory, cell)) for cell in self.plan.cells),
            tuple(
                FailedExport(name, note.reason, _relative(self.directory, name))
                for name, note in notes.items()
                if note is not None and note.failed
            ),
        )

    def write(self) -> SweepSummary:
        """Write the summary, the table and the page."""
        summary = self.summary()
        write_sweep(summary, self.directory.summary, self.directory.table, self.directory.page)
        return summary


def missing_jobs(plan: SweepPlan, performer: Performer) -> list[Job]:
    """Return what is to be done: cells that are not finished, and before them the programs that they need.

    Whether a cell of a program that has to be exported is finished is known once that is there.
    """
    there = {program.name for program in plan.programs if performer.finished(program)}
    cells = [cell for cell in plan.cells if cell.program.name not in there or not performer.finished(cell)]
    needed = {cell.program.name for cell in cells} - there
    return [*(program for program in plan.programs if program.name in needed), *cells]


def note_finished(plan: SweepPlan, performer: Performer) -> None:
    """Note what cells came to that were finished when a sweep was killed before it could note it."""
    for cell in plan.cells:
        if performer.finished(cell) and not performer.noted(cell):
            performer.perform(cell)


def carry_out(sweep: Sweep, jobs: Sequence[Job], scheduler: Scheduler) -> SweepSummary:
    """Have the jobs done, tell of each, write the results now and then, and return how the sweep stands at the end."""
    remaining = Remaining(jobs, sweep.estimate(sweep.record.quick), sweep.record.quick)
    write_at = time.monotonic() + _WRITE_EVERY_S
    try:
        with timed_progress(len(jobs), remaining.seconds) as steps:
            for note in scheduler.run(jobs, lambda job: steps.begin(beginning(job.name, isinstance(job, Cell)))):
                left_s = remaining.ended(note.job, note.seconds)
                steps.advance(ended(note.job, note.reason, note.result), left_s)
                if time.monotonic() >= write_at:
                    write_at = _written(sweep)
    except KeyboardInterrupt:
        sweep.write()
        raise
    return sweep.write()


def _written(sweep: Sweep) -> float:
    """Write the results, and return when to do so again: of thousands of cells it takes a while."""
    began = time.monotonic()
    sweep.write()
    now = time.monotonic()
    return now + max(_WRITE_EVERY_S, _WRITING_PART * (now - began))


def _note_of(directory: SweepDirectory, job: Job) -> JobNote | None:
    try:
        return directory.note(job.name)
    except UserError:  # a damaged one tells nothing; the files of the job do
        return None


def _swept(cell: Cell, directory: SweepDirectory, note: JobNote | None) -> SweptCell:
    status = MISSING if note is None or not (note.done or note.failed) else DONE if note.done else FAILED
    run = directory.run(cell)
    report = run.report_html if cell.device.timed else None
    if report is None and status == DONE and (pte := directory.pte(cell.program)) is not None:
        report = directory.preview(cell, pte).markdown
    return SweptCell(
        cell.name,
        cell.model,
        cell.program.dtype,
        cell.threads,
        cell.method,
        cell.device.label,
        status,
        note.reason if note is not None and status == FAILED else "",
        run.root.relative_to(directory.root).as_posix(),
        report.relative_to(directory.root).as_posix() if report is not None and report.is_file() else "",
        _relative(directory, cell.name) if directory.log(cell.name).is_file() else "",
        note.seconds if note is not None and status == DONE else None,
        note.result if note is not None and status == DONE else None,
    )


def _relative(directory: SweepDirectory, job: str) -> str:
    return directory.log(job).relative_to(directory.root).as_posix()
