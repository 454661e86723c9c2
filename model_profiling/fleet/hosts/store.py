# SPDX-License-Identifier: Apache-2.0
"""What a host of a fleet keeps: files by their digests, and a folder for each sweep that it measures cells of."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from model_profiling.errors import UserError
from model_profiling.files import make_folder, sha256, writing
from model_profiling.fleet.hosts.sent_files import SentFile

#: At most this much of a file is in a message, and in memory.
CHUNK = 4 << 20
#: What no sweep has asked for in so long is removed as a worker starts.
_KEPT_S = 14 * 24 * 3600.0


class Store:
    """A folder of files under their digests."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._objects = root / "objects"
        self._arriving = root / "arriving"

    def sweep(self, identity: str) -> Path:
        """Return the folder of a sweep, by what identifies it."""
        return self.root / "sweeps" / identity

    def scratch(self, worker: str) -> Path:
        """Return the folder that Dask may use in a worker: nothing of the kit's is in it."""
        return self.root / "scratch" / worker

    def holds(self, digest: str) -> bool:
        return self._object(digest).is_file()

    def missing(self, files: Iterable[SentFile]) -> list[str]:
        """Return the digests of those that are not here."""
        return sorted({file.sha256 for file in files if not self.holds(file.sha256)})

    def put(self, sender: str, file: SentFile, offset: int, data: bytes) -> None:
        """Take a piece of a file; the last one makes it known, where its digest is the one that was said.

        Raises
        ------
        UserError : it cannot be written, pieces are missing, or it is another file.
        """
        make_folder(self._arriving)
        path = self._arriving / f"{file.sha256}.{sender}"
        with writing(path), open(path, "r+b" if offset else "wb") as target:
            if target.seek(0, os.SEEK_END) < offset:
                raise UserError(f"a piece of {file.path} is missing", f"at {path}", "run the sweep again with --resume")
            target.truncate(offset)
            target.seek(offset)
            target.write(data)
            target.flush()
            whole = offset + len(data) >= file.size
            if whole:
                os.fsync(target.fileno())
        if whole:
            self._keep(path, file)

    def assemble(self, folder: Path, files: Iterable[SentFile]) -> None:
        """Make a folder of kept files; one that is there already and is the file stays.

        Raises
        ------
        UserError : a file is not here, or cannot be written.
        """
        for file in files:
            place, kept = folder / file.path, self._object(file.sha256)
            if place.is_file() and place.stat().st_size == file.size and sha256(place) == file.sha256:
                continue
            make_folder(place.parent)
            with writing(place):
                neighbor = place.with_name(f".{place.name[:40]}.{os.getpid()}")
                neighbor.unlink(missing_ok=True)
                try:
                    os.link(kept, neighbor)
                except FileNotFoundError as error:
                    raise UserError(
                        f"{file.path} did not arrive", f"at {self.root}", "run the sweep again with --resume"
                    ) from error
                except OSError:  # a file system without links
                    shutil.copyfile(kept, neighbor)
                os.replace(neighbor, place)
                os.utime(kept)

    def adopt(self, folder: Path, files: Iterable[SentFile]) -> None:
        """Keep files that were made here, so that they need not come from elsewhere."""
        make_folder(self._objects)
        for file in files:
            with writing(folder), contextlib.suppress(FileExistsError):
                os.link(folder / file.path, self._object(file.sha256))

    def tidy(self) -> None:
        """Remove what nobody has asked for in a long time."""
        limit = time.time() - _KEPT_S
        for folder in (self._objects, self._arriving):
            for file in folder.glob("*"):
                if file.stat().st_mtime < limit:
                    file.unlink(missing_ok=True)
        for old in (*self.root.glob("sweeps/*"), *self.root.glob("scratch/*")):
            if max((file.stat().st_mtime for file in old.rglob("*")), default=0.0) < limit:
                shutil.rmtree(old, ignore_errors=True)

    def _object(self, digest: str) -> Path:
        return self._objects / digest

    def _keep(self, path: Path, file: SentFile) -> None:
        if sha256(path) != file.sha256:
            path.unlink(missing_ok=True)
            raise UserError(
                f"{file.path} arrived damaged (its digest does not match)",
                f"at {self.root}",
                "run the sweep again with --resume",
            )
        make_folder(self._objects)
        with writing(path):
            os.replace(path, self._object(file.sha256))


def piece(path: Path, offset: int, length: int = CHUNK) -> bytes:
    """Return a piece of a file."""
    with open(path, "rb") as file:
        file.seek(offset)
        return file.read(length)


def batches(files: Iterable[SentFile]) -> Iterator[list[tuple[SentFile, int, int]]]:
    """Yield pieces of files, each as its offset and its length, so many at once as a message may hold."""
    batch: list[tuple[SentFile, int, int]] = []
    room = CHUNK
    for file in files:
        offset = 0
        while offset < file.size or not file.size:
            length = min(room, file.size - offset)
            batch.append((file, offset, length))
            offset, room = offset + length, room - length
            if not room:
                yield batch
                batch, room = [], CHUNK
            if not file.size:
                break
    if batch:
        yield batch


class ArrivingFile:
    """A file that arrives in pieces: written beside its place, there once its digest is the one that was said.

    It is not flushed: who sent it keeps it until all that arrived was, at once (`os.sync`), which takes far less.
    """

    def __init__(self, place: Path, file: SentFile) -> None:
        self._place, self._file = place, file
        self._digest, self.size = hashlib.sha256(), 0
        make_folder(place.parent)

    def add(self, data: bytes) -> None:
        """Write the next piece."""
        with writing(self._place), open(self._beside, "ab" if self.size else "wb") as target:
            target.write(data)
        self._digest.update(data)
        self.size += len(data)

    def finish(self) -> None:
        """Give the file its name; UserError where it is another one than was said."""
        if self.size != self._file.size or self._digest.hexdigest() != self._file.sha256:
            raise UserError(
                f"{self._file.path} arrived damaged (its digest does not match)",
                f"for {self._place}",
                "run the sweep again with --resume",
            )
        with writing(self._place):
            if not self.size:
                self._beside.touch()
            os.replace(self._beside, self._place)

    @property
    def _beside(self) -> Path:
        return self._place.with_name(f".{self._place.name[:40]}.arriving")
