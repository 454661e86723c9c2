# SPDX-License-Identifier: Apache-2.0
"""Which job goes where next. Pure: it is told what is offered and what ended, and of the time.

A cell that was begun goes on on its device and on no other. Cells are shuffled by the sweep's seed, so that no device
measures one model's cells in a row while another does those of the next.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from model_profiling import __version__
from model_profiling.analysis.sweeping.summary import FAILED
from model_profiling.fleet.directory import JobNote
from model_profiling.fleet.hosts.offer import Offer
from model_profiling.fleet.plan import Cell, Job, SweptProgram
from model_profiling.fleet.wanted_device import ADB, LOCAL, WantedDevice
from model_profiling.report.words import fleet as words

#: A job whose worker went away so often is given up: it may be what ends it.
MOST_LOST = 5
LEFT_ALONE_S = 10.0
_Key = TypeVar("_Key", str, WantedDevice)


@dataclass(frozen=True)
class Before:
    """What is known of a sweep as it begins: programs that are there, where cells were begun, CPUs by device label."""

    ready: frozenset[str] = frozenset()
    places: Mapping[str, str] = field(default_factory=dict)
    cpus: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Assignment:
    """A job for a worker."""

    job: Job
    offer: Offer


class Placement:
    """What is to be done still, and who is free."""

    def __init__(self, jobs: Sequence[Job], before: Before, seed: int, wait_s: float, now: float) -> None:
        self._wait_s = wait_s
        self._programs = [job for job in jobs if isinstance(job, SweptProgram)]
        cells = [job for job in jobs if isinstance(job, Cell)]
        random.Random(seed).shuffle(cells)
        self._rank = {cell.name: rank for rank, cell in enumerate(cells)}
        self._by_device: dict[WantedDevice, list[Cell]] = {}
        self._by_place: dict[str, list[Cell]] = {}
        for cell in cells:
            self._wait(cell, before.places.get(cell.name, ""))
        self._ready, self._cpus = set(before.ready), dict(before.cpus)
        self._offers: dict[str, Offer] = {}
        self._refused: list[str] = []
        self._busy: dict[str, Assignment] = {}
        self._lost: Counter[str] = Counter()
        self._left_alone: dict[str, float] = {}
        self._seen: dict[object, float] = {}
        self._began, self._told = now, set[str]()

    def see(self, offers: Iterable[Offer], now: float) -> list[str]:
        """Take notice of who is there, and return what is to be told of it, each once."""
        told, by_key, usable = [], dict[str, list[Offer]](), []
        for offer in offers:
            if offer.kit_version != __version__:
                told.append(words.other_version(offer.called, offer.kit_version, __version__))
            else:
                by_key.setdefault(offer.key, []).append(offer)
        for key, claims in by_key.items():
            if len({claim.host for claim in claims}) > 1:
                told.append(words.claimed(key, [claim.host for claim in claims]))
            else:
                usable.append(claims[-1])  # of several the newest: the former has not been missed yet
        self._offers, self._refused = {offer.worker: offer for offer in usable}, told
        self._notice(now)
        fresh = [line for line in told if line not in self._told]
        self._told.update(fresh)
        return fresh

    def next(self, now: float) -> Assignment | None:
        """Return a job for somebody who is free, None where there is none; it counts as begun."""
        busy = {assignment.offer.key for assignment in self._busy.values()}
        for offer in self._offers.values():
            alone = self._left_alone.get(offer.worker, now) > now
            if not alone and offer.key not in busy and (job := self._job_for(offer)) is not None:
                self._busy[job.name] = Assignment(job, offer)
                if isinstance(job, Cell) and _of_one_cpu(job.device):
                    self._cpus.setdefault(job.device.label, offer.cpu)
                return self._busy[job.name]
        return None

    def ended(self, note: JobNote) -> list[JobNote]:
        """Take notice that a job is done or has failed; return how others ended by that."""
        job = self._busy.pop(note.job).job
        if isinstance(job, Cell):
            return []
        if note.done:
            self._ready.add(job.name)
            return []
        return self._not_exported({job.name})

    def lost(self, job: Job, begun: bool, now: float) -> list[JobNote]:
        """Take notice that a job's worker went away; return its failure where that was once too often.

        The scheduler may list that worker still: it is left alone for a while.
        """
        offer = self._busy.pop(job.name).offer
        self._left_alone[offer.worker] = now + LEFT_ALONE_S
        self._lost[job.name] += begun
        if begun and self._lost[job.name] >= MOST_LOST:
            reason, place = words.lost_often(MOST_LOST, offer.called), offer.key if begun else ""
            others = self._not_exported({job.name}) if isinstance(job, SweptProgram) else []
            return [JobNote(job.name, FAILED, reason, place=place), *others]
        if isinstance(job, Cell):
            self._wait(job, offer.key if begun else "")
        else:
            self._programs.insert(0, job)
        return []

    def hopeless(self, now: float, note_of: str) -> list[JobNote]:
        """Return the failures of what nobody has offered to do for as long as may be waited."""
        gone: list[JobNote] = []
        if self._programs and self._overdue("exports", now):
            gone += [JobNote(job.name, FAILED, words.no_exporter(self._wait_s)) for job in self._programs]
            names = {job.name for job in self._programs}
            self._programs = []
            gone += self._not_exported(names)
        offered = [offer.called for offer in self._offers.values()]
        for device in [device for device in self._by_device if self._overdue(device, now)]:
            reason = words.not_offered(device.label, offered, self._refused, self._wait_s)
            gone += [JobNote(cell.name, FAILED, reason) for cell in self._by_device.pop(device)]
        for place in [place for place in self._by_place if self._overdue(place, now)]:
            for cell in self._by_place.pop(place):
                reason = words.place_gone(place, self._wait_s, note_of.format(cell.name))
                gone.append(JobNote(cell.name, FAILED, reason, place=place))
        return gone

    @property
    def left(self) -> bool:
        """Whether anything is to be done, or being done."""
        return bool(self._programs or self._by_device or self._by_place or self._busy)

    @property
    def busy(self) -> tuple[Assignment, ...]:
        return tuple(self._busy.values())

    def there(self, worker: str) -> bool:
        """Return whether a worker is offered still."""
        return worker in self._offers

    def _wait(self, cell: Cell, place: str) -> None:
        waiting = self._by_place.setdefault(place, []) if place else self._by_device.setdefault(cell.device, [])
        waiting.append(cell)
        waiting.sort(key=lambda one: self._rank[one.name])

    def _job_for(self, offer: Offer) -> Job | None:
        if offer.exports and self._programs:
            return self._programs.pop(0)
        cell = self._first(self._by_place, offer.key) if offer.key in self._by_place else None
        if cell is not None:
            return cell
        found = [
            (self._rank[cells[number].name], device)
            for device, cells in self._by_device.items()
            if self._fits(offer, device) and (number := self._ready_in(cells)) is not None
        ]
        return self._first(self._by_device, min(found, key=lambda one: one[0])[1]) if found else None

    def _first(self, waiting: dict[_Key, list[Cell]], key: _Key) -> Cell | None:
        number = self._ready_in(waiting[key])
        if number is None:
            return None
        cell = waiting[key].pop(number)
        if not waiting[key]:
            del waiting[key]
        return cell

    def _ready_in(self, cells: Sequence[Cell]) -> int | None:
        """Return the place of the first cell whose program is there."""
        return next((number for number, cell in enumerate(cells) if cell.program.name in self._ready), None)

    def _fits(self, offer: Offer, device: WantedDevice) -> bool:
        return offer.fits(device) and (not _of_one_cpu(device) or self._cpus.get(device.label, offer.cpu) == offer.cpu)

    def _notice(self, now: float) -> None:
        """Note what could be done now, for `hopeless`; what is being done there counts too."""
        busy = {assignment.offer.key for assignment in self._busy.values()}
        offers = self._offers.values()
        if any(offer.exports for offer in offers):
            self._seen["exports"] = now
        for device in self._by_device:
            if any(self._fits(offer, device) for offer in offers):
                self._seen[device] = now
        for place in self._by_place:
            if place in busy or any(offer.key == place for offer in offers):
                self._seen[place] = now

    def _not_exported(self, programs: set[str]) -> list[JobNote]:
        """Return the failures of the cells of programs that are not to be had."""
        cells = self._taken(lambda cell: cell.program.name in programs)
        return [JobNote(cell.name, FAILED, f"its program {cell.program.name} could not be exported") for cell in cells]

    def _overdue(self, what: object, now: float) -> bool:
        return now - self._seen.get(what, self._began) > self._wait_s

    def _taken(self, chosen: Callable[[Cell], bool]) -> list[Cell]:
        """Return the cells that wait and are chosen, which wait no longer."""
        return [*_take(self._by_device, chosen), *_take(self._by_place, chosen)]


def _of_one_cpu(device: WantedDevice) -> bool:
    """Whether a device's name says so little that its cells are to be on CPUs of one kind, to be compared."""
    telling = (device.serial, device.address, device.soc, device.model)
    return device.kind == LOCAL or (device.kind == ADB and not any(telling))


def _take(waiting: dict[_Key, list[Cell]], chosen: Callable[[Cell], bool]) -> list[Cell]:
    taken = [cell for cells in waiting.values() for cell in cells if chosen(cell)]
    for key, cells in list(waiting.items()):
        waiting[key] = [cell for cell in cells if not chosen(cell)]
        if not waiting[key]:
            del waiting[key]
    return taken
