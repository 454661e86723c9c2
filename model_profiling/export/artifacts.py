# SPDX-License-Identifier: Apache-2.0
"""The files an export leaves: their names, and putting all of them in place or none."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from model_profiling.errors import UserError
from model_profiling.files import make_folder, write_bytes, writing


def default_outdir(model: str) -> Path:
    """Return where an export's files go when nobody says otherwise."""
    return Path(f"out_{model}") / "artifacts"


@dataclass(frozen=True)
class ArtifactPaths:
    """Where one export's files go: ``<model>_<backend>_<dtype>`` in `outdir`; `dtype` is a recipe's label."""

    outdir: Path
    model: str
    backend: str
    dtype: str

    @property
    def stem(self) -> str:
        return f"{self.model}_{self.backend}_{self.dtype}"

    @property
    def pte(self) -> Path:
        return self.outdir / f"{self.stem}.pte"

    @property
    def etrecord(self) -> Path:
        return self.outdir / f"{self.stem}.etrecord"

    @property
    def sidecar(self) -> Path:
        return self.outdir / f"{self.stem}.json"

    @property
    def graph(self) -> Path:
        return self.outdir / f"{self.stem}.graph.txt"

    @property
    def numeric_gap(self) -> Path:
        return self.outdir / f"{self.stem}_numeric_gap.csv"

    @property
    def log(self) -> Path:
        return self.outdir / f"{self.stem}.export.log"


@contextmanager
def writable_folder(outdir: Path) -> Iterator[None]:
    """Make `outdir`, and say that it cannot be written now, not after the half minute an export takes.

    Folders made for an export that then fails are removed again where they are still empty.
    """
    made = [folder for folder in (outdir, *outdir.parents) if not folder.exists()]
    make_folder(outdir)
    with writing(outdir), tempfile.TemporaryFile(dir=outdir):
        pass
    try:
        yield
    finally:
        for folder in made:
            with suppress(OSError):  # not empty: the export's files, or the log of why there are none
                folder.rmdir()


def put_in_place(contents: Mapping[Path, bytes]) -> None:
    """Write all of `contents` (paths of one folder), or leave the folder as it was.

    Everything is written and flushed to a hidden neighbour first; only renames, which need no
    space, touch the final names.
    """
    folder = next(iter(contents)).parent
    for path in contents:
        if path.is_dir():
            raise UserError("there is a folder with that name", f"at {path}", "remove it or choose another --outdir")
    with writing(folder):
        staging = Path(tempfile.mkdtemp(dir=folder, prefix=".export."))
    try:
        staged = {path: write_bytes(staging / path.name, data) for path, data in contents.items()}
        for path, source in staged.items():
            with writing(path):
                os.replace(source, path)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
