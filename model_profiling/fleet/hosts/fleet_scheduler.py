# SPDX-License-Identifier: Apache-2.0
"""A scheduler over a fleet: exports to any host that can, each cell to a device that fits, results into the sweep.

All that it has to know again is in the sweep's directory: where a cell was begun is noted before it is, and a result
is noted once its files are here. So this process, Dask's scheduler and every worker may die at any moment.
"""

from __future__ import annotations

import hashlib
import json
import os
import queue
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from model_profiling.analysis.sweeping.summary import FAILED
from model_profiling.console import say
from model_profiling.errors import KitError, UserError
from model_profiling.files import make_folder, writing
from model_profiling.fleet.directory import BEGUN, JobNote
from model_profiling.fleet.finished import made_from
from model_profiling.fleet.hosts import errands
from model_profiling.fleet.hosts.connection import Connection, WorkerGone
from model_profiling.fleet.hosts.offer import Offer
from model_profiling.fleet.hosts.placement import Assignment, Before, Placement
from model_profiling.fleet.hosts.sent_files import SentFile, files_below, files_of_program, sent_files
from model_profiling.fleet.hosts.travelling import JobAnswer, Order
from model_profiling.fleet.performing import PerformingOptions
from model_profiling.fleet.plan import Cell, Job, SweptProgram
from model_profiling.fleet.sweep import Sweep
from model_profiling.report.words import fleet as words

#: How often the scheduler is asked who is there, and how long it may be silent before the sweep is ended.
_LOOK_S, _SILENT_S = 1.0, 30.0
#: Clocks that differ by more are told of.
_CLOCK_S, _STOP_S = 60.0, 3.0
#: How often what arrived is flushed to the disk: a run's dozens of files one by one would take seconds.
_FLUSH_S = 10.0
_MOST_AT_ONCE = 512


@dataclass(frozen=True)
class _Lost:
    """A job whose worker went away; `begun` says that a part of it may be there."""

    job: Job
    offer: Offer
    begun: bool


class FleetScheduler:
    """Jobs over a fleet; see `scheduler.Scheduler`."""

    def __init__(self, connection: Connection, sweep: Sweep, options: PerformingOptions) -> None:
        self._connection, self._options = connection, options
        self._directory, self._plan, self._seed = sweep.directory, sweep.plan, sweep.record.seed
        told = json.dumps([sweep.record.started, sweep.record.seed])
        self._sweep = hashlib.sha256(told.encode()).hexdigest()[:16]
        self._outcomes: queue.Queue[Future[JobNote | _Lost]] = queue.Queue()
        self._sending = threading.Lock()
        self._locks: dict[tuple[str, str], threading.Lock] = {}
        self._clocks: set[str] = set()
        self._arrived: queue.Queue[tuple[Offer, str]] = queue.Queue()
        self._flushed = time.monotonic()

    def run(self, jobs: Sequence[Job], begins: Callable[[Job], object]) -> Iterator[JobNote]:
        """Yield how each job went, as they end.

        Raises
        ------
        UserError : the scheduler has gone, or the sweep's own directory cannot be written.
        """
        placement = Placement(jobs, self._before(jobs), self._seed, self._options.wait_s, time.monotonic())
        pool = ThreadPoolExecutor(_MOST_AT_ONCE, thread_name_prefix="device")
        try:
            heard = looked = time.monotonic()
            looked -= _LOOK_S
            while placement.left:
                now = time.monotonic()
                if now - looked >= _LOOK_S:
                    heard, looked = self._look(placement, heard), time.monotonic()
                    for note in placement.hopeless(now, str(self._directory.root / "states" / "{}.json")):
                        yield self._directory.keep(note)
                while (assignment := placement.next(time.monotonic())) is not None:
                    begins(assignment.job)
                    pool.submit(self._do, assignment, placement).add_done_callback(self._outcomes.put)
                yield from self._ended(placement)
                if time.monotonic() - self._flushed > _FLUSH_S:
                    self._flushed = time.monotonic()
                    pool.submit(self._flush)
            self._flush()
        finally:
            self._end(placement, pool)

    def _look(self, placement: Placement, heard: float) -> float:
        """Ask who is there; return when the scheduler was last heard."""
        offers, now = self._connection.offers(), time.monotonic()
        if offers is None:
            if now - heard > _SILENT_S:
                raise UserError(
                    "the scheduler has gone",
                    "during the sweep",
                    "start it again, then the same command with --resume: nothing that was measured is lost",
                )
            return heard
        for line in placement.see(offers, now):
            say(line)
        return now

    def _ended(self, placement: Placement) -> Iterator[JobNote]:
        """Wait a moment for jobs to end, and yield how they did."""
        try:
            outcomes = [self._outcomes.get(timeout=_LOOK_S)]
        except queue.Empty:
            return
        while not self._outcomes.empty():
            outcomes.append(self._outcomes.get_nowait())
        for ended in outcomes:
            outcome = ended.result()  # raises what is wrong here: a full disk, or a defect
            if isinstance(outcome, _Lost):
                others = placement.lost(outcome.job, outcome.begun, time.monotonic())
                if not others:
                    say(words.interrupted(outcome.job.name, outcome.offer.called))
            else:
                others = placement.ended(outcome)
                yield outcome
            for note in others:
                yield self._directory.keep(note)

    def _end(self, placement: Placement, pool: ThreadPoolExecutor) -> None:
        """Have workers end what nobody waits for any more."""
        for assignment in placement.busy:
            try:
                self._connection.ask(assignment.offer, errands.stop, assignment.job.name, limit_s=_STOP_S)
            except WorkerGone:
                continue
        self._connection.close()
        pool.shutdown(wait=True, cancel_futures=True)

    def _flush(self) -> None:
        """Have what arrived on the disk, then tell workers to drop it."""
        arrived = []
        while not self._arrived.empty():
            arrived.append(self._arrived.get_nowait())
        if arrived:
            os.sync()
        for offer, job in arrived:
            try:
                self._connection.ask(offer, errands.drop, self._sweep, job, limit_s=_STOP_S)
            except WorkerGone:
                continue  # it keeps what nobody needs until it is tidied up

    def _before(self, jobs: Sequence[Job]) -> Before:
        """Return what the sweep's files say of these jobs."""
        to_export = {job.name for job in jobs if isinstance(job, SweptProgram)}
        ready = {cell.program.name for cell in jobs if isinstance(cell, Cell)} - to_export
        places, cpus = {}, {}
        for cell in self._plan.cells:
            note = self._noted(cell.name)
            if note is not None and note.place and not (note.done and self._directory.run(cell).exists()):
                places[cell.name] = note.place
            if note is not None and note.done and note.cpu:
                cpus[cell.device.label] = note.cpu
        return Before(frozenset(ready), places, cpus)

    def _noted(self, job: str) -> JobNote | None:
        try:
            return self._directory.note(job)
        except UserError:
            return None

    def _do(self, assignment: Assignment, placement: Placement) -> JobNote | _Lost:
        """Have a job done, in a thread of its own, and return what came of it; raises what is wrong on this machine."""
        job, offer, begun = assignment.job, assignment.offer, False
        try:
            self._tell_clock(offer)
            if isinstance(job, Cell):
                order = self._order_of_cell(job, offer)
                self._directory.keep(JobNote(job.name, BEGUN, serial=offer.serial, place=offer.key))
                begun = True
                task = errands.measure
            else:
                order, task, begun = self._order_of_export(job, offer), errands.export, True
            told = self._connection.do(offer, task, order.words(), lambda: not placement.there(offer.worker))
            return self._taken(job, offer, JobAnswer.read(told))
        except WorkerGone:
            return _Lost(job, offer, begun)
        except UserError:  # of this machine: its disk is full
            raise
        except KitError as refused:
            return self._directory.keep(JobNote(job.name, FAILED, str(refused)))

    def _tell_clock(self, offer: Offer) -> None:
        """Say once of a host that its clock is another: nothing depends on it but the times in its runs."""
        if offer.host in self._clocks:
            return
        self._clocks.add(offer.host)
        ahead_s = self._connection.clock_ahead_s(offer)
        if abs(ahead_s) > _CLOCK_S:
            say(words.clock_differs(offer.host, ahead_s))

    def _order_of_cell(self, cell: Cell, offer: Offer) -> Order:
        pte = self._directory.pte(cell.program)
        if pte is None:
            raise KitError(f"its program {cell.program.name} is not there any more")
        files = sent_files(pte.parent, files_of_program(pte))
        self._send(offer, cell.program.name, pte.parent, files)
        return Order(self._sweep, offer.key, cell.to_json(), tuple(files), self._options)

    def _order_of_export(self, program: SweptProgram, offer: Offer) -> Order:
        sent: list[SentFile] = []
        for key, source in (("model_file", program.model.model_file), ("weights", program.model.weights)):
            if source is not None:
                path = Path(source).resolve()
                inside = [path] if path.is_file() else files_below(path)
                files = sent_files(path.parent, inside)
                self._send(offer, program.name, path.parent, files)
                sent += [replace(file, path=f"{key}/{file.path}") for file in files]
        return Order(self._sweep, offer.key, program.to_json(), tuple(sent), self._options)

    def _send(self, offer: Offer, program: str, root: Path, files: Sequence[SentFile]) -> None:
        """Send a program's files to a host once, however many of its devices want them."""
        with self._sending:
            lock = self._locks.setdefault((offer.host, program), threading.Lock())
        with lock:
            self._connection.send(offer, root, files)

    def _taken(self, job: Job, offer: Offer, answer: JobAnswer) -> JobNote | _Lost:
        """Take what a job left into the sweep's directory, and note how it went."""
        if answer.refused or answer.note is None:
            place = offer.key if answer.begun else ""
            self._directory.keep(JobNote(job.name, BEGUN, serial=offer.serial if place else "", place=place))
            return _Lost(job, offer, answer.begun)
        log = [] if answer.log is None else [(answer.log, self._directory.log(job.name))]
        if not answer.note.done:
            self._connection.fetch(offer, self._sweep, job.name, log)
            return self._directory.keep(replace(answer.note, place=offer.key if answer.begun else ""))
        if isinstance(job, Cell):
            run, note = self._directory.run(job), replace(answer.note, place=offer.key, cpu=offer.cpu)
            with self._arriving(offer, job.name, answer.files, log, run.root) as arriving:
                self._directory.keep(note)  # first: whether it is done is not believed of a note without its files
                if run.root.exists():
                    run.set_aside()
                arriving.rename(run.root)
            self._arrived.put((offer, job.name))
            return note
        target = self._directory.exports(job)
        with self._arriving(offer, job.name, answer.files, log, target) as arriving:
            shutil.rmtree(target, ignore_errors=True)
            arriving.rename(target)
        return self._directory.keep(replace(answer.note, made_from=made_from(job), place=offer.key))

    @contextmanager
    def _arriving(
        self, offer: Offer, job: str, files: Sequence[SentFile], log: Sequence[tuple[SentFile, Path]], target: Path
    ) -> Iterator[Path]:
        """Fetch a folder beside its place, and yield it as it is whole."""
        arriving = self._directory.arriving / job
        try:
            self._connection.fetch(offer, self._sweep, job, [*log, *((file, arriving / file.path) for file in files)])
            make_folder(target.parent)
            with writing(target):
                yield arriving
        finally:
            shutil.rmtree(arriving, ignore_errors=True)
            with suppress(OSError):  # others arrive too
                arriving.parent.rmdir()
