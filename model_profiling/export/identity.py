# SPDX-License-Identifier: Apache-2.0
"""What the bytes of an export depend on: the model's own files by their digests, and the packages that lower it."""

from __future__ import annotations

import hashlib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from model_profiling.files import sha256

#: What decides the bytes of an export.
_PACKAGES = ("executorch", "torch", "torchao")


def versions() -> dict[str, str]:
    """Return the versions of what decides an export's bytes, "" for what is not there."""
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = ""
    return found


def named(path: Path | None) -> dict[str, str] | None:
    """Return a file's path and digest; of a package's folder that of all its Python."""
    if path is None:
        return None
    if path.is_file():
        return {"path": str(path), "sha256": sha256(path)}
    digest = hashlib.sha256()
    for file in sorted(path.rglob("*.py")):
        digest.update(f"{file.relative_to(path)} {sha256(file)}\n".encode())
    return {"path": str(path), "sha256": digest.hexdigest()}
