# SPDX-License-Identifier: Apache-2.0
"""The files that a reader has at some point of a page: clones of the kit, and what commands made."""

from __future__ import annotations

import fnmatch
import posixpath
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from tools.pages.reading.repository import Repository

HOME = "/home/reader"
#: What a clone is called when nobody says otherwise, as in the quick start.
CLONE = f"{HOME}/executorch_sme2_kit"


@dataclass(frozen=True)
class Entry:
    """Something that a command made.

    An open folder may hold anything. `content` is a file's text where it is known, `copy_of`
    the repository's file that it is a copy of, `archive` the folder that unpacking it gives where
    it is the repository's archive. `cannot_run` says why the command that makes it cannot run
    here, if so.
    """

    folder: bool = False
    open: bool = False
    content: str | None = None
    copy_of: str | None = None
    archive: str | None = None
    cannot_run: str | None = None


@dataclass
class Files:
    """Paths are absolute and normalized. Outside the reader's home everything is taken to exist."""

    repository: Repository
    made: dict[str, Entry] = field(default_factory=lambda: {HOME: Entry(folder=True)})
    clones: dict[str, tuple[str, ...] | None] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)

    def copy(self) -> Files:
        return Files(self.repository, dict(self.made), dict(self.clones), set(self.gone))

    # ------------------------------------------------------------ looking

    def exists(self, path: str) -> bool:
        if not self.inside(path) or path in self.made or self.in_clone(path) is not None:
            return True
        return self.is_folder(path) or self._open_above(path) is not None

    def is_folder(self, path: str) -> bool:
        if not self.inside(path):
            return True
        entry = self.made.get(path)
        if entry:
            return entry.folder
        within = self.in_clone(path)
        if within is not None:
            return self.repository.is_folder(within)
        return any(known.startswith(path + "/") for known in (*self.made, *self.clones)) or bool(self._open_above(path))

    def is_known_file(self, path: str) -> bool:
        """Return whether `path` is surely a file, and no folder."""
        if path in self.made:
            return not self.made[path].folder
        within = self.in_clone(path)
        return within is not None and self.repository.is_file(within)

    def inside(self, path: str) -> bool:
        return path == HOME or path.startswith(HOME + "/")

    def in_clone(self, path: str) -> str | None:
        """Return the repository's name for a path that a clone has, else None."""
        for root in sorted(self.clones, key=len, reverse=True):
            if path == root or path.startswith(root + "/"):
                name = posixpath.relpath(path, root)
                only = self.clones[root]
                held = (
                    only is None
                    or "/" not in name
                    or any(name == o or name.startswith(o + "/") or o.startswith(name + "/") for o in only)
                )
                if only is not None and "/" not in name and self.repository.is_folder(name) and name != ".":
                    held = any(o == name or o.startswith(name + "/") for o in only)
                return name if held and path not in self.gone and self.repository.exists(name) else None
        return None

    def content(self, path: str) -> str | None:
        """Return a file's text where it is known."""
        if path in self.made and self.made[path].copy_of is None:
            return self.made[path].content
        name = self.repository_file(path)
        return self.repository.read(name) if name and name.endswith((".json", ".py", ".txt")) else None

    def repository_file(self, path: str) -> str | None:
        """Return the repository's name of what lies at `path`: a file of a clone, or a copy of one."""
        if path in self.made:
            return self.made[path].copy_of
        name = self.in_clone(path)
        return name if name is not None and self.repository.is_file(name) else None

    def archive(self, path: str) -> str | None:
        """Return the folder that unpacking `path` gives, where it is the repository's archive."""
        return self.made[path].archive if path in self.made else None

    def matching(self, pattern: str) -> list[str]:
        """Return the paths that a shell would find for an absolute pattern."""
        depth = pattern.count("/")
        paths = {path for path in self.made if path.count("/") == depth and fnmatch.fnmatchcase(path, pattern)}
        for root in self.clones:
            if pattern.startswith(root + "/"):
                paths |= {
                    f"{root}/{name}"
                    for name in self.repository.matching(pattern[len(root) + 1 :])
                    if self.in_clone(f"{root}/{name}") is not None
                }
        return sorted(paths)

    def open_around(self, pattern: str) -> bool:
        """Return whether a pattern lies in a folder that may hold anything."""
        fixed = pattern
        while any(mark in fixed for mark in "*?["):
            fixed = posixpath.dirname(fixed)
        return not self.inside(pattern) or self._open_above(f"{fixed}/x") is not None

    def cannot_run(self, path: str) -> str | None:
        """Return why what makes `path` cannot run here; None where it can, or nothing makes it."""
        return next((entry.cannot_run for entry in self._above(path) if entry.cannot_run), None)

    def below(self, path: str) -> Iterator[str]:
        return (known for known in self.made if known == path or known.startswith(path + "/"))

    def _above(self, path: str) -> Iterator[Entry]:
        while len(path) > len(HOME):
            if path in self.made:
                yield self.made[path]
            path = posixpath.dirname(path)

    def _open_above(self, path: str) -> Entry | None:
        return next((entry for entry in self._above(path) if entry.open), None)

    # ------------------------------------------------------------ changing

    def make(self, path: str, entry: Entry = Entry()) -> None:
        """Make a file or folder with the folders above it."""
        if not self.inside(path):
            return
        self.gone.discard(path)
        self.made[path] = entry
        parent = posixpath.dirname(path)
        while len(parent) > len(HOME) and parent not in self.made and self.in_clone(parent) is None:
            self.made[parent] = Entry(folder=True, cannot_run=entry.cannot_run)
            parent = posixpath.dirname(parent)

    def clone(self, path: str, sparse: bool = False) -> None:
        self.clones[path] = () if sparse else None
        self.make(path, Entry(folder=True))

    def remove(self, path: str) -> None:
        for known in list(self.below(path)):
            del self.made[known]
        for root in [root for root in self.clones if root == path or root.startswith(path + "/")]:
            del self.clones[root]
        self.gone.add(path)

    def move(self, source: str, target: str, *, keep: bool) -> None:
        """Copy (`keep`) or move what is at `source` to `target`, a folder's content included."""
        entry = Entry(
            folder=self.is_folder(source),
            open=self.is_folder(source),
            content=self.content(source),
            copy_of=self.repository_file(source),
            archive=self.archive(source),
            cannot_run=self.cannot_run(source),
        )
        below = {known: self.made[known] for known in self.below(source)}
        self.make(target, replace(entry, open=entry.open and not below))
        for known, value in below.items():
            self.make(target + known[len(source) :], value)
        if not keep:
            self.remove(source)
