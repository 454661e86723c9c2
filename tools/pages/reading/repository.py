# SPDX-License-Identifier: Apache-2.0
"""What is in the repository, as somebody who clones it sees it, and the site that its pages make."""

from __future__ import annotations

import fnmatch
import functools
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from model_profiling import KIT_ADDRESS
from model_profiling.processes import run_child

_LIST_SECONDS = 30
_RAW = KIT_ADDRESS.replace("https://github.com/", "https://raw.githubusercontent.com/")
_NOT_LISTED = {".git", ".venv", "__pycache__"}


@dataclass(frozen=True)
class Repository:
    """The files of a checkout, by their paths with slashes. `gone` are taken for missing."""

    root: Path
    gone: frozenset[str] = frozenset()
    _listed: dict[str, frozenset[str]] = field(default_factory=dict, compare=False, repr=False)

    @property
    def files(self) -> frozenset[str]:
        if "files" not in self._listed:
            self._listed["files"] = _list(self.root) - self.gone
        return self._listed["files"]

    @property
    def folders(self) -> frozenset[str]:
        if "folders" not in self._listed:
            self._listed["folders"] = frozenset(
                str(parent) for name in self.files for parent in PurePosixPath(name).parents
            )
        return self._listed["folders"]

    def without(self, *names: str) -> Repository:
        """Return this repository as it would be without some of its files."""
        return Repository(self.root, self.gone | set(names), {"files": self.files - set(names)})

    def exists(self, name: str) -> bool:
        return self.is_file(name) or self.is_folder(name)

    def is_file(self, name: str) -> bool:
        return _clean(name) in self.files

    def is_folder(self, name: str) -> bool:
        return _clean(name) in self.folders

    def matching(self, pattern: str) -> Iterator[str]:
        """Yield the files and folders that a shell would find for a pattern."""
        depth = pattern.count("/")
        yield from (
            name
            for name in sorted(self.files | self.folders)
            if name.count("/") == depth and fnmatch.fnmatchcase(name, pattern)
        )

    def read(self, name: str) -> str:
        return (self.root / name).read_text(encoding="utf-8")

    def archive_of_address(self, address: str) -> str | None:
        """Return the folder in the archive that a public address serves, else None.

        GitHub names it after the repository and the branch, with hyphens for slashes.
        """
        named = re.fullmatch(rf"{re.escape(KIT_ADDRESS)}/archive/refs/heads/([\w./-]+)\.tar\.gz", address)
        return f"{KIT_ADDRESS.rpartition('/')[2]}-{named[1].replace('/', '-')}" if named else None

    def path_of_address(self, address: str) -> str | None:
        """Return the path that a public address of the repository names, "" for its front page, else None."""
        for base, marks in ((_RAW, ("",)), (KIT_ADDRESS, ("blob/", "tree/", "raw/"))):
            if address in (base, f"{base}.git", f"{base}/"):
                return ""
            for mark in marks:
                if address.startswith(f"{base}/{mark}"):
                    _branch, _, path = address.removeprefix(f"{base}/{mark}").partition("#")[0].partition("/")
                    return path
        return None


def _clean(name: str) -> str:
    return os.path.normpath(name)


@functools.cache
def _list(root: Path) -> frozenset[str]:
    """List what a clone of the next commit would hold; where git does not know, what is there."""
    if (root / ".git").exists():
        listed = run_child(
            ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            timeout_s=_LIST_SECONDS,
        )
        if listed.ok:
            return frozenset(name for name in listed.output.split("\0") if name and (root / name).exists())
    files_below: list[str] = []
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if name not in _NOT_LISTED]
        files_below += [(Path(folder) / name).relative_to(root).as_posix() for name in files]
    return frozenset(files_below)


@dataclass(frozen=True)
class Site:
    """The learning paths around a page: `root` is the folder that holds `content`."""

    root: Path

    @classmethod
    def around(cls, page: Path) -> Site | None:
        for parent in page.resolve().parents:
            if parent.name == "learning-paths" and parent.parent.name == "content":
                return cls(parent.parent.parent)
        return None

    def page(self, address: str) -> Path | None:
        """Return the file behind an internal link such as ``/learning-paths/a/b/``, or None."""
        relative = address.partition("#")[0].strip("/")
        folder = self.root / "content" / relative
        for candidate in (folder / "_index.md", folder.with_name(f"{folder.name}.md")):
            if candidate.is_file():
                return candidate
        return None

    def own(self, address: str, page: Path) -> bool:
        """Return whether an internal link points into the learning path that `page` belongs to."""
        folder = page.resolve().parent.relative_to(self.root.resolve() / "content").as_posix()
        return address.strip("/").partition("#")[0].startswith(folder.rpartition("/")[0] + "/")

    def image(self, target: str, page: Path) -> Path | None:
        """Return an image's file: beside the page, as published, or below the root, as kept here."""
        for folder in (page.parent, self.root):
            if (folder / target).is_file():
                return folder / target
        return None
