# SPDX-License-Identifier: Apache-2.0
"""The sweep directory: the names of its files, and what is kept of each job.

A sweep may be killed at any moment. Whether a job is done is not believed of a note: a program is done where its file
is the one noted, a cell where its run is finished and of this program and configuration (`finished.py`). Notes add
what the files do not say: why a job failed, and which phone it was on.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from model_profiling import __version__
from model_profiling.analysis.sweeping.cell_result import CellResult
from model_profiling.analysis.sweeping.summary import DONE, FAILED, SWEEP_SUMMARY_FILE, SWEEP_TABLE_FILE
from model_profiling.errors import UserError
from model_profiling.files import json_bytes, make_folder, write_json
from model_profiling.fleet.plan import Cell, SweptProgram
from model_profiling.json_objects import JsonObject
from model_profiling.pipeline.preview_folder import PreviewFolder
from model_profiling.pipeline.run_directory import RunDirectory

BEGUN = "begun"
_FIX = "remove that file, and run the sweep again with --resume"


@dataclass(frozen=True)
class JobNote:
    """How a job went: `status` is `BEGUN`, `DONE` or `FAILED`, for the `reason`.

    `serial` is the phone that a cell was placed on, "" elsewhere; `place` a fleet's
    device, and `cpu` what its CPU is called there. `pte` and `made_from` are of a program: its file's
    digest, and what its bytes depend on. `result` is of a cell.
    """

    job: str
    status: str
    reason: str = ""
    serial: str = ""
    seconds: float = 0.0
    pte: str = ""
    made_from: Mapping[str, object] = field(default_factory=dict)
    result: CellResult | None = None
    place: str = ""
    cpu: str = ""

    @property
    def done(self) -> bool:
        return self.status == DONE

    @property
    def failed(self) -> bool:
        return self.status == FAILED

    @classmethod
    def from_json(cls, held: JsonObject) -> JobNote:
        result = held.maybe_within("result")
        return cls(
            held.text("job"),
            held.text("status"),
            held.text("reason"),
            held.text("serial"),
            held.number("seconds"),
            held.text("pte"),
            held.within("made_from").plain(),
            None if result is None else CellResult.from_json(result),
            held.maybe_text("place") or "",
            held.maybe_text("cpu") or "",
        )

    def to_json(self) -> dict[str, object]:
        return {**vars(self), "made_from": dict(self.made_from), "result": self.result and self.result.to_json()}


@dataclass(frozen=True)
class SweepRecord:
    """What sweep.json holds: the configuration as it was given, and what was decided as the sweep began."""

    config: Mapping[str, object]
    seed: int
    quick: bool
    started: str
    kit_version: str = __version__

    @classmethod
    def from_json(cls, held: JsonObject) -> SweepRecord:
        config = held.within("config").plain()
        return cls(config, held.whole("seed"), held.flag("quick"), held.text("started"), held.text("kit_version"))


class SweepDirectory:
    """Names, reading and writing of everything under a sweep's `output_root`."""

    def __init__(self, root: Path) -> None:
        self.root = Path(root)
        self.record = self.root / "sweep.json"
        self.summary = self.root / SWEEP_SUMMARY_FILE
        self.table = self.root / SWEEP_TABLE_FILE
        self.page = self.root / "sweep.html"
        self.cells = self.root / "cells"
        self.artifacts = self.root / "artifacts"
        self.arriving = self.root / ".arriving"
        self._unfinished = self.artifacts / ".unfinished"

    def run(self, cell: Cell) -> RunDirectory:
        """Return the run directory of a cell."""
        return RunDirectory(self.cells / cell.name)

    def preview(self, cell: Cell, pte: Path) -> PreviewFolder:
        """Return the folder of a cell on an emulated CPU."""
        return PreviewFolder(pte, self.cells / cell.name, cell.method or "")

    def exports(self, program: SweptProgram) -> Path:
        """Return the folder of a program's export."""
        return self.artifacts / program.name

    def unfinished_exports(self, program: SweptProgram) -> Path:
        """Return the folder that this process exports a program into: what a killed one left half done is not its."""
        return self._unfinished / f"{program.name}.{os.getpid()}"

    def config(self, cell: Cell) -> Path:
        """Return the configuration of a cell's run."""
        return self.root / "configs" / f"{cell.name}.json"

    def log(self, job: str) -> Path:
        """Return where a job's output goes."""
        return self.root / "logs" / f"{job}.log"

    def pte(self, program: SweptProgram) -> Path | None:
        """Return a program's file, None where it has not been exported, or is gone."""
        if program.model.pte is not None:
            given = Path(program.model.pte)
            return given if given.is_file() else None
        found = sorted(self.exports(program).glob("*.pte"))
        return found[0] if len(found) == 1 else None

    def note(self, job: str) -> JobNote | None:
        """Return what is noted of a job, None where nothing is.

        Raises
        ------
        UserError : the note is damaged.
        """
        path = self._note(job)
        return JobNote.from_json(JsonObject.read(path, _FIX)) if path.is_file() else None

    def keep(self, note: JobNote) -> JobNote:
        """Note how a job went, and return the note."""
        write_json(self._note(note.job), note.to_json())
        return note

    def _note(self, job: str) -> Path:
        return self.root / "states" / f"{job}.json"

    def check(self, record: SweepRecord | None, quick: bool, resume: bool) -> None:
        """Raise the `UserError` where a sweep cannot begin here: something else is here, or nobody asked to resume."""
        if self.root.exists() and not self.root.is_dir():
            raise UserError(f"{self.root} is a file", 'in "output_root" of the sweep', "name a folder")
        begun = self.record.is_file()
        held = sorted(path.name for path in self.root.iterdir()) if self.root.is_dir() else []
        held = [name for name in held if name != ".lock" and not name.startswith(f".{self.record.name}")]
        if held and not begun:
            raise UserError(
                f"the folder holds files that are not of a sweep ({held[0]})", f"at {self.root}", "name a new one"
            )
        if begun and not resume:
            fix = "add --resume to go on with it, or name another output_root"
            raise UserError("the folder holds a sweep", f"at {self.root}", fix)
        if begun and record is not None and record.quick != quick:
            raise UserError(
                f"this sweep {'is a' if record.quick else 'is no'} quick one",
                f"in --resume of {self.root}",
                f"{'add' if record.quick else 'leave out'} --quick, or name another output_root",
            )

    def begin(self, config: Mapping[str, object], record: SweepRecord) -> SweepRecord:
        """Make the directory this sweep's, and return its record: the configuration may have changed since it began."""
        make_folder(self.root)
        shutil.rmtree(self._unfinished, ignore_errors=True)
        record = replace(record, config=config)
        if not self.record.is_file() or self.record.read_bytes() != json_bytes(vars(record)):
            write_json(self.record, vars(record))
        return record

    def read_record(self) -> SweepRecord | None:
        """Return what sweep.json holds, None where there is none."""
        return SweepRecord.from_json(JsonObject.read(self.record, _FIX)) if self.record.is_file() else None
