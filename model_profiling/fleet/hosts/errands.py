# SPDX-License-Identifier: Apache-2.0
"""What a worker does for a sweep on another host. Each function is sent by its name, takes and gives texts and bytes.

None raises: what is wrong is an answer, since an exception would have to be of the same Python at both ends.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import psutil

from model_profiling.analysis.sweeping.summary import FAILED
from model_profiling.errors import KitError
from model_profiling.files import sha256
from model_profiling.fleet.directory import JobNote, SweepDirectory
from model_profiling.fleet.hosts.offer import Offer
from model_profiling.fleet.hosts.sent_files import SentFile, files_below, read_sent, sent_files
from model_profiling.fleet.hosts.store import Store, piece
from model_profiling.fleet.hosts.travelling import JobAnswer, Order, cell_of, held_job, program_of, read_words
from model_profiling.fleet.performing import Performer
from model_profiling.fleet.plan import Job
from model_profiling.fleet.wanted_device import ADB
from model_profiling.pipeline.devices.adb.client import Adb, find_adb
from model_profiling.pipeline.devices.adb.selection import choose


@dataclass
class Serving:
    """What this process offers, and where it keeps things; `job` is what it does now."""

    offer: Offer
    store: Store
    job: str = ""
    done: int = field(default=0)


#: Of this process, from `serving.py`; None in a process that is no worker.
_serving: list[Serving] = []


def begin_serving(offer: Offer, store: Store) -> Serving:
    """Make this process a worker, and return what it does from now on."""
    _serving[:] = [Serving(offer, store)]
    return _serving[0]


def clock() -> float:
    """Return this host's time, in seconds since 1970 (UTC)."""
    return time.time()


def missing(words: str) -> str:
    """Say which files are not here: `{"files": [...]}` -> `[digest, ...]`."""
    return json.dumps(_serving[0].store.missing(read_sent(read_words(words))))


def put(sender: str, words: str, offset: int, data: bytes) -> str:
    """Take a piece of the file that the words are; an answer with words is why it could not be kept."""
    try:
        _serving[0].store.put(sender, SentFile.from_json(read_words(words)), offset, data)
    except KitError as refused:
        return _here(str(refused))
    return ""


def get(sweep: str, job: str, words: str) -> bytes | str:
    """Return pieces of what a job left, joined: `[[place, offset, length], ...]`; a text says why there are none."""
    folder = _left_by(SweepDirectory(_serving[0].store.sweep(sweep)), job)
    found = []
    for place, offset, length in json.loads(words):
        path = folder[place] if place in folder else folder[""] / place
        try:
            data = piece(path, offset, length)
        except OSError as error:
            return _here(f"{place} of {job} cannot be read ({error.strerror})")
        if len(data) != length:
            return _here(f"{place} of {job} is shorter than it was")
        found.append(data)
    return b"".join(found)


def measure(words: str) -> str:
    """Measure a cell, as the local scheduler does, in this host's folder of the sweep."""
    return _do(words, _measured)


def export(words: str) -> str:
    """Export a program."""
    return _do(words, _exported)


def drop(sweep: str, job: str) -> str:
    """Remove what a cell left: the sweep has all of it."""
    directory = SweepDirectory(_serving[0].store.sweep(sweep))
    shutil.rmtree(directory.cells / job, ignore_errors=True)
    for file in (directory.log(job), directory.root / "states" / f"{job}.json"):
        file.unlink(missing_ok=True)
    return ""


def stop(job: str) -> str:
    """End what is being done for a job: its sweep has been interrupted."""
    if _serving[0].job == job:
        for child in psutil.Process().children():
            child.terminate()
    return ""


def _do(words: str, perform: Callable[[Order, SweepDirectory], JobAnswer]) -> str:
    serving, order = _serving[0], Order.read(words)
    if order.device != serving.offer.key:
        return JobAnswer(None, refused=f"{serving.offer.called} is not {order.device}").words()
    serving.job = str(order.job["name"])
    try:
        return perform(order, SweepDirectory(serving.store.sweep(order.sweep))).words()
    except KitError as refused:
        return JobAnswer(JobNote(serving.job, FAILED, _here(str(refused)))).words()
    except OSError as error:  # a disk that is full, or gone
        return JobAnswer(JobNote(serving.job, FAILED, _here(f"{error.strerror} ({error.filename})"))).words()
    finally:
        serving.job = ""
        serving.done += 1


def _measured(order: Order, directory: SweepDirectory) -> JobAnswer:
    serving = _serving[0]
    job = held_job(order)
    artifacts = directory.artifacts / job.within("program").text("name")
    serving.store.assemble(artifacts, order.files)
    cell = cell_of(job, artifacts, serving.offer)
    before = directory.note(cell.name)
    if before is not None and before.serial and before.serial != serving.offer.serial:
        directory.keep(replace(before, serial=serving.offer.serial))  # the same phone, by another cable
    run = directory.run(cell)
    if not run.is_finished() and (absent := _absent(serving.offer)):
        return JobAnswer(None, run.exists(), refused=absent)
    note = _performed(cell, order, directory)
    if not note.done:
        return JobAnswer(note, run.exists(), log=_log(directory, cell.name))
    return JobAnswer(note, True, tuple(sent_files(run.root, files_below(run.root))), _log(directory, cell.name))


def _absent(offer: Offer) -> str:
    """Return why the phone cannot be measured now, "" where it can: it may have been unplugged a moment ago."""
    if offer.kind != ADB:
        return ""
    try:
        choose(Adb(find_adb()), offer.serial)
    except KitError as refused:
        return _here(str(refused))
    return ""


def _exported(order: Order, directory: SweepDirectory) -> JobAnswer:
    store = _serving[0].store
    sources = directory.root / "sources" / str(order.job["name"])
    store.assemble(sources, order.files)
    program = program_of(held_job(order), sources)
    note = _performed(program, order, directory)
    folder = directory.exports(program)
    files = tuple(sent_files(folder, files_below(folder))) if note.done else ()
    store.adopt(folder, files)
    return JobAnswer(note, files=files, log=_log(directory, program.name))


def _performed(job: Job, order: Order, directory: SweepDirectory) -> JobNote:
    note = Performer(directory, order.options).perform(job)
    return replace(note, reason=_here(note.reason)) if note.reason else note


def _log(directory: SweepDirectory, job: str) -> SentFile | None:
    log = directory.log(job)
    return SentFile(log.name, sha256(log), log.stat().st_size) if log.is_file() else None


def _left_by(directory: SweepDirectory, job: str) -> dict[str, Path]:
    """Return where a job's files are: its folder, and its log by the log's name."""
    cell, exports = directory.cells / job, directory.artifacts / job
    return {"": cell if cell.is_dir() else exports, directory.log(job).name: directory.log(job)}


def _here(reason: str) -> str:
    """Say where it went wrong."""
    return f"{reason} (at {_serving[0].offer.host})"
