# SPDX-License-Identifier: Apache-2.0
"""Jobs as plain JSON: what one host tells another to do, and what that says of it.

Hosts may have different Pythons, so no object of the kit's travels: texts and bytes do, in both directions.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from model_profiling.errors import UserError
from model_profiling.fleet.config import SweptModel
from model_profiling.fleet.directory import JobNote
from model_profiling.fleet.hosts.offer import Offer
from model_profiling.fleet.hosts.sent_files import SentFile, read_sent
from model_profiling.fleet.performing import PerformingOptions
from model_profiling.fleet.plan import Cell, SweptProgram
from model_profiling.fleet.wanted_device import ADB
from model_profiling.json_objects import JsonObject

_WHERE, _FIX = "from another host of the fleet", "install the same version of the kit on all of them"


def read_words(words: str) -> JsonObject:
    """Return what another host says."""
    return JsonObject(json.loads(words), _WHERE, _FIX, what="the message")


@dataclass(frozen=True)
class Order:
    """A job for another host: `sweep` tells the sweep it is of, `device` by its key where it is to be done.

    `files` are those of a cell's program, or of the sources of an export, below a folder of the job's own.
    """

    sweep: str
    device: str
    job: Mapping[str, object]
    files: tuple[SentFile, ...]
    options: PerformingOptions

    def words(self) -> str:
        return json.dumps({**vars(self), "files": [f.to_json() for f in self.files], "options": asdict(self.options)})

    @classmethod
    def read(cls, words: str) -> Order:
        held = read_words(words)
        options = held.within("options")
        return cls(
            held.text("sweep"),
            held.text("device"),
            held.within("job").plain(),
            tuple(read_sent(held)),
            PerformingOptions(options.flag("quick"), options.number("wait_s"), options.flag("share_cpu")),
        )


@dataclass(frozen=True)
class JobAnswer:
    """How a job went on another host, and what it left there.

    `begun` says that a part of it is there, to be gone on with. `refused` is why it was not tried at all: that worker
    is not what it was taken for.
    """

    note: JobNote | None
    begun: bool = False
    files: tuple[SentFile, ...] = ()
    log: SentFile | None = None
    refused: str = ""

    def words(self) -> str:
        return json.dumps(
            {
                "note": self.note and self.note.to_json(),
                "begun": self.begun,
                "files": [file.to_json() for file in self.files],
                "log": self.log and self.log.to_json(),
                "refused": self.refused,
            }
        )

    @classmethod
    def read(cls, words: str) -> JobAnswer:
        held = read_words(words)
        note, log = held.maybe_within("note"), held.maybe_within("log")
        return cls(
            None if note is None else JobNote.from_json(note),
            held.flag("begun"),
            tuple(read_sent(held)),
            None if log is None else SentFile.from_json(log),
            held.text("refused"),
        )


def held_job(order: Order) -> JsonObject:
    """Return the job of an order, to be read."""
    return JsonObject(dict(order.job), _WHERE, _FIX, what="the message")


def program_of(held: JsonObject, sources: Path) -> SweptProgram:
    """Return the program to export that another host means; its sources lie in a folder of this one."""
    program = SweptProgram.from_json(held)
    model = program.model
    return replace(
        program,
        model=replace(
            model,
            model_file=_here(model.model_file, sources / "model_file"),
            weights=_here(model.weights, sources / "weights"),
        ),
    )


def cell_of(held: JsonObject, artifacts: Path, offer: Offer) -> Cell:
    """Return the cell that another host means: of a program in a folder of this one, on the device that is offered."""
    cell = Cell.from_json(held)
    ptes = sorted(artifacts.glob("*.pte"))
    if len(ptes) != 1:
        raise UserError(f"{len(ptes)} programs are there", f"at {artifacts}", "remove that folder")
    device = cell.device
    if device.kind == ADB:
        device = replace(device, serial=offer.serial, address=None, soc=None, model=None)
    program = replace(cell.program, model=SweptModel(cell.program.model.label, pte=str(ptes[0])))
    return replace(cell, program=program, device=device)


def _here(path: str | None, folder: Path) -> str | None:
    return None if path is None else str(folder / Path(path).name)
