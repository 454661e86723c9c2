# SPDX-License-Identifier: Apache-2.0
"""Skills as assistants look for them: `<name>/SKILL.md` folders of the open Agent Skills form (agentskills.io)."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from model_profiling import KIT_ADDRESS
from model_profiling.errors import UserError
from model_profiling.files import make_folder, write_text, writing
from tools.pages.reading import yaml_head
from tools.pages.reading.document import Block
from tools.pages.reading.skill_form import SkillForm

NEW, FRESH, OLD, FOREIGN, GONE = "new", "fresh", "old", "foreign", "gone"
FILE = "SKILL.md"
_LINK = re.compile(r"(\]\()([^)\s]+)")
_COMMENT = re.compile(r"<!-- check: .*-->\n?")


@dataclass(frozen=True)
class Installation:
    """One skill's folder at the destination; `text` as it should be, None where the kit has no such skill any more."""

    folder: Path
    text: str | None
    state: str

    @property
    def file(self) -> Path:
        return self.folder / FILE


def survey(catalogue: Sequence[SkillForm], dest: Path, root: Path) -> list[Installation]:
    """Compare a destination with the skills of the checkout `root`.

    Raises
    ------
    UserError : the destination is no folder, or cannot be read.
    """
    if dest.exists() and not dest.is_dir():
        raise UserError("it is no folder", f"at {dest}", "name a folder for --dest")
    folders = {form.document.path.name: form.name for form in catalogue}
    ours = [
        _installation(dest / form.name, installed_text(form, folders, dest / form.name, root)) for form in catalogue
    ]
    with writing(dest):
        others = sorted(path for path in dest.iterdir() if path.name not in folders.values()) if dest.is_dir() else []
    return ours + [Installation(path, None, GONE) for path in others if _is_ours(path / FILE)]


def install(installations: Sequence[Installation]) -> None:
    """Write what is new or old, remove what is gone; a folder of somebody else stops it before anything is written.

    Raises
    ------
    UserError : a folder is not one of the kit's, or cannot be written.
    """
    foreign = next((entry for entry in installations if entry.state == FOREIGN), None)
    if foreign:
        raise UserError(
            f"{foreign.folder.name} is there and is not a skill of this kit",
            f"at {foreign.folder}",
            "move it away, or choose another folder with --dest",
        )
    for entry in installations:
        if entry.state == GONE:
            with writing(entry.folder):
                entry.file.unlink()
                if not any(entry.folder.iterdir()):
                    entry.folder.rmdir()
        elif entry.state != FRESH and entry.text is not None:
            make_folder(entry.folder)
            write_text(entry.file, entry.text)


def installed_text(form: SkillForm, folders: Mapping[str, str], folder: Path, root: Path) -> str:
    """Return a skill as it stands in `folder`: its origin noted, links that lead on, no comments for the checker.

    `folders` gives the folder's name of each skill by its file.
    """
    inside = {
        number
        for block in form.document.every(Block)
        for number in range(block.fence.line, block.place.line + block.text.count("\n") + 1)
    }
    lines = form.document.text.splitlines(keepends=True)
    told = [_COMMENT.sub("", line) if number not in inside else line for number, line in enumerate(lines, 1)]
    text = "".join(
        line
        if number in inside
        else _LINK.sub(lambda link: link[1] + _target(link[2], form, folders, folder, root), line)
        for number, line in enumerate(told, 1)
    )
    return text.replace("metadata:\n", f'metadata:\n  source: "{_address(form.document.path, root)}"\n', 1)


def _target(target: str, form: SkillForm, folders: Mapping[str, str], folder: Path, root: Path) -> str:
    name, mark, anchor = target.partition("#")
    if "://" in target or not name:
        return target
    if name in folders:
        return f"../{folders[name]}/{FILE}{mark}{anchor}"
    path = (form.document.path.parent / name).resolve()
    if folder.resolve().is_relative_to(root.resolve()):
        return f"{os.path.relpath(path, folder.resolve())}{mark}{anchor}"
    return f"{_address(path, root)}{mark}{anchor}"


def _address(path: Path, root: Path) -> str:
    kind = "tree" if path.is_dir() else "blob"
    return f"{KIT_ADDRESS}/{kind}/main/{path.relative_to(root.resolve()).as_posix()}"


def _installation(folder: Path, text: str) -> Installation:
    file = folder / FILE
    if not folder.exists() and not folder.is_symlink():
        return Installation(folder, text, NEW)
    if not folder.is_dir() or any(folder.iterdir()) and not _is_ours(file):
        return Installation(folder, text, FOREIGN)
    return Installation(folder, text, FRESH if file.is_file() and file.read_bytes() == text.encode("utf-8") else OLD)


def _is_ours(file: Path) -> bool:
    """Return whether a SKILL.md says that it came from the kit."""
    if not file.is_file():
        return False
    head, _ = yaml_head.split(file.read_text(encoding="utf-8", errors="replace").splitlines())
    metadata = (head.values or {}).get("metadata") if head else None
    return isinstance(metadata, dict) and str(metadata.get("source", "")).startswith(f"{KIT_ADDRESS}/")
