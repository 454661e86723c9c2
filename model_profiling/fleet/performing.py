# SPDX-License-Identifier: Apache-2.0
"""Doing one job on this host, with the kit's own commands: an export, a run, a preview."""

from __future__ import annotations

import functools
import os
import shutil
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from model_profiling import PACKAGE_DIR
from model_profiling.analysis.sweeping.cell_result import CellResult, result_of_preview, result_of_run
from model_profiling.analysis.sweeping.summary import DONE, FAILED
from model_profiling.command import OWNER_VARIABLE
from model_profiling.errors import KitError, MeasurementError, UserError
from model_profiling.files import sha256, write_json, writing
from model_profiling.fleet.config import split_label
from model_profiling.fleet.directory import BEGUN, JobNote, SweepDirectory
from model_profiling.fleet.finished import begun_cell, finished_cell, finished_program, made_from, run_config
from model_profiling.fleet.plan import Cell, Job, SweptProgram
from model_profiling.fleet.wanted_device import ADB, EMULATED, WantedDevice
from model_profiling.pipeline.config import load_config
from model_profiling.pipeline.devices.adb.client import Adb, find_adb
from model_profiling.pipeline.devices.adb.finding import connected_phones, find_phone
from model_profiling.pipeline.devices.adb.selection import choose
from model_profiling.pipeline.run_directory import RunDirectory
from model_profiling.processes import run_logged

#: Nothing of the kit's takes this long; its commands have limits of their own for what they wait for.
_LIMIT_S = 24 * 3600.0
_FORMER_ENDS_S, _LOOK_EVERY_S = 20.0, 0.2


@dataclass(frozen=True)
class PerformingOptions:
    """How cells are measured: `wait_s` is how long a device may be another's, `share_cpu` as a pipeline has it."""

    quick: bool = False
    wait_s: float = 0.0
    share_cpu: bool = False


class Performer:
    """Does jobs into one sweep directory, and notes there how each went."""

    def __init__(self, directory: SweepDirectory, options: PerformingOptions) -> None:
        self._directory, self._options = directory, options

    def perform(self, job: Job) -> JobNote:
        """Do a job that is not done yet, and return how it went: what fails is its own note, and no error.

        Raises
        ------
        UserError : the note cannot be written.
        """
        try:
            note = self._cell(job) if isinstance(job, Cell) else self._program(job)
        except KitError as refused:
            note = JobNote(job.name, FAILED, str(refused))
        return self._directory.keep(note)

    def finished(self, job: Job) -> bool:
        """Return whether a job need not be done: told by its files."""
        if isinstance(job, SweptProgram):
            return finished_program(job, self._directory)
        pte = self._directory.pte(job.program)
        return pte is not None and finished_cell(job, self._directory, digest_of(pte), self._options.quick)

    def noted(self, job: Job) -> bool:
        """Return whether it is noted that a job is done."""
        try:
            note = self._directory.note(job.name)
        except UserError:  # a damaged note says nothing
            return False
        return note is not None and note.done

    def _program(self, program: SweptProgram) -> JobNote:
        directory = self._directory
        if finished_program(program, directory):
            return directory.note(program.name) or JobNote(program.name, DONE)
        if not program.exported:
            raise UserError(f"{program.model.pte} does not exist", "in the sweep", "export it first")
        source, work, target = made_from(program), directory.unfinished_exports(program), directory.exports(program)
        try:
            seconds = self._run(_export_command(program, work), program.name)
            with writing(target):
                shutil.rmtree(target, ignore_errors=True)
                work.rename(target)
        finally:
            shutil.rmtree(work, ignore_errors=True)
            with suppress(OSError):  # not there, or another process exports too
                work.parent.rmdir()
        pte = directory.pte(program)
        if pte is None:
            raise MeasurementError(f"the export left no program; see {directory.log(program.name)}")
        return JobNote(program.name, DONE, seconds=seconds, pte=sha256(pte), made_from=source)

    def _cell(self, cell: Cell) -> JobNote:
        directory, before = self._directory, self._directory.note(cell.name)
        exported = directory.note(cell.program.name) if cell.program.exported else None
        pte = directory.pte(cell.program)
        if pte is None or (exported is not None and exported.failed):
            raise MeasurementError(f"its program {cell.program.name} could not be exported")
        digest = digest_of(pte)
        _wait_for_former(directory.run(cell))
        if finished_cell(cell, directory, digest, self._options.quick):
            if before is not None and before.done and before.result and before.result.model_sha256 == digest:
                return before
            return JobNote(cell.name, DONE, result=self._result(cell, pte))
        serial = "" if before is None else before.serial
        if cell.device.kind == ADB and not serial:  # a cell that was begun stays on its phone
            serial = serial_of(cell.device)
        command = (
            self._preview(cell, pte) if cell.device.kind == EMULATED else self._pipeline(cell, pte, digest, serial)
        )
        directory.keep(JobNote(cell.name, BEGUN, serial=serial))
        try:
            seconds = self._run(command, cell.name)
            return JobNote(cell.name, DONE, "", serial, seconds, result=self._result(cell, pte))
        except KitError as failed:
            return JobNote(cell.name, FAILED, str(failed), serial if directory.run(cell).exists() else "")

    def _result(self, cell: Cell, pte: Path) -> CellResult:
        if cell.device.timed:
            return result_of_run(self._directory.run(cell))
        return result_of_preview(self._directory.preview(cell, pte))

    def _pipeline(self, cell: Cell, pte: Path, digest: str, serial: str) -> list[str]:
        path = write_json(self._directory.config(cell), run_config(cell, pte, self._directory))
        options = self._options
        resume = begun_cell(cell, self._directory, digest, options.quick, load_config(path))
        where = {
            ADB: ("android", ["--remote-device", cell.device.address] if cell.device.address else ["--serial", serial])
        }
        platform, device = where.get(cell.device.kind, ("mac", ["--share-cpu"] if options.share_cpu else []))
        return [
            *_command(f"scripts/{platform}_pipeline.py", "--config", str(path)),
            *(["--resume"] if resume else []),
            *(["--quick"] if options.quick else []),
            *(["--wait", f"{options.wait_s:g}"] if options.wait_s else []),
            *device,
        ]

    def _preview(self, cell: Cell, pte: Path) -> list[str]:
        folder = self._directory.preview(cell, pte).root
        words = ["--model", str(pte), "--output-dir", str(folder), "--cpu", str(cell.device.cpu)]
        return _command("scripts/preview_sme2.py", *words, *(["--method", cell.method] if cell.method else []))

    def _run(self, command: Sequence[str], job: str) -> float:
        """Run a command to its end, and return how long that took; `MeasurementError` says why it failed."""
        owned = {OWNER_VARIABLE: str(os.getpid())}
        child, reason = run_logged(command, timeout_s=_LIMIT_S, log=self._directory.log(job), env=owned)
        if not child.ok:
            raise MeasurementError(reason)
        return child.duration_s


def _command(script: str, *words: str) -> list[str]:
    return [sys.executable, str(PACKAGE_DIR / script), *words]


def _export_command(program: SweptProgram, outdir: Path) -> list[str]:
    model = program.model
    dtype, group_size = split_label(program.dtype)
    single = {
        "--model": model.model,
        "--model-file": model.model_file,
        "--dtype": dtype,
        "--group-size": str(group_size) if group_size else None,
        "--weights": model.weights,
        "--outdir": str(outdir),
    }
    several = {"--rewrite": model.rewrites, "--method": model.methods}
    words = [word for flag, value in single.items() if value is not None for word in (flag, value)]
    words += [word for flag, values in several.items() if values for word in (flag, *values)]
    return _command("export/export_model.py", *words)


def serial_of(device: WantedDevice) -> str:
    """Return the serial of the phone that is meant, "" where its address says it.

    Raises
    ------
    UserError : it is not connected, or not ready.
    """
    if device.address is not None:
        return ""
    if device.serial is not None:
        return choose(Adb(find_adb()), device.serial, '"devices" of the sweep').serial
    phones = connected_phones()
    if device.soc is not None:
        return find_phone("SoC", device.soc, phones)
    if device.model is not None:
        return find_phone("model", device.model, phones)
    if len(phones) != 1:
        told = f"{len(phones)} phones are connected" if phones else "no phone is connected"
        raise UserError(told, "over adb", 'connect one, or name it in "devices" as {"serial": ...}')
    return phones[0].serial


def _wait_for_former(run: RunDirectory) -> None:
    """Wait for what a killed sweep had begun to end: it sees soon that it belongs to nobody."""
    deadline = time.monotonic() + _FORMER_ENDS_S
    while run.exists():
        try:
            with run.locked():
                return
        except UserError:
            if time.monotonic() > deadline:
                return  # somebody else's: the pipeline says so
            time.sleep(_LOOK_EVERY_S)


def digest_of(path: Path) -> str:
    """Return a program's digest, read once for all of its cells."""
    status = path.stat()
    return _known_digest(path, status.st_mtime_ns, status.st_size)


@functools.lru_cache(maxsize=4096)
def _known_digest(path: Path, changed_ns: int, size: int) -> str:
    return sha256(path)
