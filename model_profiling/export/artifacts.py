# SPDX-License-Identifier: Apache-2.0
"""The files an export leaves: their names, and putting all of them in place or none."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from model_profiling.errors import UserError
from model_profiling.files import make_folder, write_bytes, writing


@dataclass(frozen=True)
class ArtifactPaths:
    """Where one export's files go: ``<model>_<backend>_<dtype>`` in `outdir`."""

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
    def log(self) -> Path:
        return self.outdir / f"{self.stem}.export.log"


def require_writable(outdir: Path) -> None:
    """Raise the `UserError` about `outdir` now, and not after the half minute an export takes."""
    make_folder(outdir)
    with writing(outdir), tempfile.TemporaryFile(dir=outdir):
        pass


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
