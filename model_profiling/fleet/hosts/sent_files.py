# SPDX-License-Identifier: Apache-2.0
"""Files that travel: each named by its place in a folder and told by its digest."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath

from model_profiling.errors import UserError
from model_profiling.fleet.performing import digest_of
from model_profiling.json_objects import JsonObject


@dataclass(frozen=True)
class SentFile:
    """A file: its place below its folder, its digest, its size in bytes."""

    path: str
    sha256: str
    size: int

    def to_json(self) -> dict[str, object]:
        return asdict(self)

    @classmethod
    def from_json(cls, held: JsonObject) -> SentFile:
        """Return what another host says of a file; UserError where that would lie outside of its folder."""
        place = PurePosixPath(held.text("path"))
        if place.is_absolute() or not place.parts or ".." in place.parts:
            raise held.refused(f"{place} is no place in a folder")
        digest = held.text("sha256")
        if len(digest) != 64 or set(digest) - set("0123456789abcdef"):
            raise held.refused(f"{digest} is no SHA-256")
        return cls(str(place), digest, held.whole("size"))


def sent_files(root: Path, files: Iterable[Path]) -> list[SentFile]:
    """Return these files below `root`, in order of their names."""
    return [
        SentFile(file.relative_to(root).as_posix(), digest_of(file), file.stat().st_size) for file in sorted(set(files))
    ]


def files_below(root: Path) -> list[Path]:
    """Return all regular files below a folder; what runs leave for themselves alone (locks, scratch) stays."""
    return [
        file
        for file in root.rglob("*")
        if file.is_file() and not file.is_symlink() and not _own(file.relative_to(root))
    ]


def files_of_program(pte: Path) -> list[Path]:
    """Return a program with what its export left beside it under its name."""
    return [file for file in pte.parent.iterdir() if file.name.startswith(f"{pte.stem}.") and file.is_file()]


def read_sent(held: JsonObject, key: str = "files") -> list[SentFile]:
    """Return a list of files that another host names."""
    found = [SentFile.from_json(one) for one in held.each(key)]
    if len({file.path for file in found}) != len(found):
        raise UserError("a file is named twice", f'in "{key}"', "run the sweep again with --resume")
    return found


def _own(place: Path) -> bool:
    return place.parts[0] in (".lock", ".work")
