# SPDX-License-Identifier: Apache-2.0
"""Files on the device: pushed once by their content, verified there, removed at the end.

A run has a folder of its own below one that the kind of device names. In it, files that belong together (a
runner and its libraries) lie in a folder named by a digest of their contents, so that what
is there already is never pushed again and a changed file never takes an old one's place.
"""

from __future__ import annotations

import hashlib
import os
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from model_profiling.console import say
from model_profiling.errors import MeasurementError, UserError
from model_profiling.files import sha256
from model_profiling.pipeline.devices.posix.shell import PosixShell, quote
from model_profiling.processes import ChildResult

_PREFIX = "sme2-kit-"
#: The slowest cable and network that a push is still given time for.
_LEAST_BYTES_PER_S = 500_000
#: The slowest that a trace and the outputs of a launch may come back.
_FETCH_S = 600.0
_NO_SPACE = "No space left on device"
#: Left free on the device beside what is pushed: traces and outputs of a launch.
_RESERVE_KIB = 8 << 10


def run_folder(root: PurePosixPath, output_root: Path) -> PurePosixPath:
    """Return the folder below `root` of the run at `output_root`: the same when it is resumed, else another."""
    name = f"{socket.gethostname()}:{Path(os.path.abspath(output_root))}"
    return root / f"{_PREFIX}{hashlib.sha256(name.encode('utf-8', 'surrogateescape')).hexdigest()[:16]}"


@dataclass(frozen=True)
class Checksum:
    """How files are compared: `command` prints, for standard input, what `of` returns for a local file."""

    command: str
    is_hash: bool

    def of(self, path: Path) -> str:
        return sha256(path) if self.is_hash else str(path.stat().st_size)


def checksum_of(shell: PosixShell) -> Checksum:
    """Return the device's way to verify files: SHA-256, or their sizes alone, which is then said."""
    for command in ("sha256sum", "toybox sha256sum"):
        if shell.shell(f"{command} < /dev/null").ok:
            return Checksum(command, True)
    say("note: this device has no sha256sum: what is pushed is verified by its size alone")
    return Checksum("wc -c", False)


class RemoteFiles:
    """What one run keeps on one device, in `folder`; the folder above it is there and may be written to."""

    def __init__(self, shell: PosixShell, folder: PurePosixPath) -> None:
        self._shell, self.folder = shell, folder

    @cached_property
    def _checksum(self) -> Checksum:
        return checksum_of(self._shell)

    def push(self, files: Mapping[str, Path]) -> PurePosixPath:
        """Bring files to the device under the names given; return the folder that holds them all.

        Raises
        ------
        UserError : the device is full, or does not let the folder be made.
        MeasurementError : a file did not arrive as it was sent.
        Lost : the connection ended first.
        """
        sums = {name: self._checksum.of(path) for name, path in files.items()}
        target = self.folder / _digest(files)
        self._make(target)
        missing = [name for name, held in self._sums(target, list(files)).items() if held != sums[name]]
        self._require_room(sum(files[name].stat().st_size for name in missing))
        for name in missing:
            self._push_one(files[name], target / name, sums[name])
        return target

    def _push_one(self, path: Path, target: PurePosixPath, wanted: str) -> None:
        # Pushed beside its place and moved there when verified: a push that was cut off
        # leaves nothing that could be taken for the file.
        part = target.with_name(f".{target.name}.part")
        limit = 60.0 + path.stat().st_size / _LEAST_BYTES_PER_S
        child = self._shell.send(path, part, timeout_s=limit)
        if not child.ok:
            raise self._not_taken(path, child)
        held = self._sums(part.parent, [part.name])[part.name]
        if held != wanted:
            raise MeasurementError(
                f"{path} did not arrive on the device as it was sent ({self._checksum.command}: "
                f"{held or 'nothing'}, not {wanted})"
            )
        mode = "755" if os.access(path, os.X_OK) else "644"
        self._shell.require(
            f"chmod {mode} {quote(part)} && mv -f {quote(part)} {quote(target)}", f"keeping {path.name}"
        )

    def _not_taken(self, path: Path, child: ChildResult) -> UserError:
        self._shell.shell("true")  # raises where it is the connection that failed
        if _NO_SPACE in child.output:
            return full_device(self.folder, free_kib(self._shell, self.folder))
        return UserError(
            f"the device did not take {path} ({self._shell.words_of(child)})",
            f"in {self.folder}",
            f"see what lies there ({self._shell.command} ls -la)",
        )

    def _make(self, folder: PurePosixPath) -> None:
        answer = self._shell.shell(f"umask 022; mkdir -p {quote(folder)}")
        if _NO_SPACE in answer.text:
            raise full_device(folder, 0)
        if not answer.ok:
            raise UserError(
                f"the device does not let a folder be made ({answer.text.strip()})",
                f"at {folder}",
                f"make {self.folder.parent} writable for {self._shell.client}",
            )

    def _sums(self, folder: PurePosixPath, names: list[str]) -> dict[str, str]:
        """Return each file's checksum as the device computes it, "" for one that is not there."""
        steps = [
            f'echo "sum:$([ -f {quote(folder / n)} ] && {self._checksum.command} < {quote(folder / n)})"' for n in names
        ]
        sums = re.findall(r"^sum:\s*([0-9a-f]*)", self._shell.shell("\n".join(steps)).text, re.MULTILINE)
        if len(sums) != len(names):
            raise MeasurementError(f"the device could not say what lies in {folder}")
        return dict(zip(names, sums, strict=True))

    def _require_room(self, size: int) -> None:
        if not size:
            return
        free = free_kib(self._shell, self.folder)
        if free is not None and free < size / 1024 + _RESERVE_KIB:
            raise full_device(self.folder, free, size / 1024 + _RESERVE_KIB)

    def workspace(self, name: str) -> PurePosixPath:
        """Return the folder of this name that a launch writes to."""
        return self.folder / "work" / name

    def fresh_workspace(self, name: str = "launch") -> PurePosixPath:
        """Return the folder of this name that a launch writes to, emptied."""
        folder = self.workspace(name)
        answer = self._shell.shell(f"rm -rf {quote(folder)} && mkdir -p {quote(folder)}")
        if not answer.ok:
            raise (
                full_device(folder, 0)
                if _NO_SPACE in answer.text
                else MeasurementError(f"the device cannot make {folder} ({answer.text.strip()})")
            )
        return folder

    def pull_workspace(self, work: Path, name: str = "launch") -> None:
        """Bring all that a launch wrote to the folder of this name into the local folder `work`.

        Raises
        ------
        Lost : the connection ended first.
        """
        child = self._shell.fetch(self.workspace(name), work, timeout_s=_FETCH_S)
        if not child.ok:
            self._shell.shell("true")
            raise self._shell.lost(self._shell.words_of(child))

    def remove(self) -> None:
        self._shell.shell(f"rm -rf {quote(self.folder)}")


def free_kib(shell: PosixShell, folder: PurePosixPath) -> int | None:
    """Return what is free on the device where `folder` lies, in KiB; None where it does not say."""
    text = shell.shell(f"df -k {quote(folder)} 2>/dev/null || df -k {quote(folder.parent)}").text
    match = re.search(r"\s(\d+)\s+(\d+)\s+(\d+)\s+\d+%\s+/", text)
    return int(match[3]) if match else None


def full_device(folder: PurePosixPath, free: int | None, needed: float | None = None) -> UserError:
    """Return the error for a device without room."""
    left = (
        "" if free is None else f" ({free / 1024:.1f} MiB free" + (f", {needed / 1024:.1f} needed)" if needed else ")")
    )
    return UserError(f"the device is full{left}", f"at {folder}", "free space on it")


def _digest(files: Mapping[str, Path]) -> str:
    digest = hashlib.sha256()
    for name in sorted(files):
        digest.update(f"{name}\0{sha256(files[name])}\0".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()[:16]
