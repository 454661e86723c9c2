# SPDX-License-Identifier: Apache-2.0
"""What a run of a skill has done, on disk, so that one that was interrupted goes on.

The shell appends to `events` when a line begins and when it ends, so a kill at any moment loses at
most the line that was running. Only the lines of the steps are taken as done: what has to hold
before and after them is asked again.
"""

from __future__ import annotations

import fcntl
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model_profiling.errors import UserError
from model_profiling.files import make_folder, read_json, write_json
from model_profiling.processes import run_child
from tools.pages.reader.following import CommandLine, Walk
from tools.pages.reading.skill_form import STEPS, SkillForm, sets_shell_up
from tools.pages.running.marked_processes import end_marked
from tools.pages.running.session import results

_GIT_SECONDS = 30


@dataclass(frozen=True)
class Progress:
    """The notes of one skill's run in `folder`; `text` and `commit` say what was run."""

    folder: Path
    text: str
    commit: str

    @property
    def _state(self) -> Path:
        return self.folder / "state.json"

    def done(self, walk: Walk, form: SkillForm) -> tuple[frozenset[int], str]:
        """Return the numbers of lines that need not be typed again, and why there are none, where that needs saying."""
        state = read_notes(self._state)
        if not state or state.get("finished"):
            return frozenset(), ""
        end_marked(str(state.get("mark")))  # a shell whose run_skill.py was killed works on by itself
        if state.get("text") != self.text:
            return frozenset(), "the skill's text is another one than in the run that was interrupted"
        if state.get("commit") != self.commit:
            return frozenset(), "the checkout is at another commit than in the run that was interrupted"
        ran = results(dict(enumerate(walk.steps)), self.folder / "session")
        done = set()
        for number, step in enumerate(walk.steps):
            if form.section_of(step.block) != STEPS or step.needs:
                continue
            if number not in ran or not ran[number].ok:
                break
            if not sets_up(step):
                done.add(number)
        return frozenset(done), ""

    def begin(self, mark: str) -> None:
        """Note what is run now, under which mark its processes run, and that it is not finished."""
        make_folder(self.folder)
        write_json(
            self._state,
            {"schema_version": 1, "text": self.text, "commit": self.commit, "mark": mark, "finished": False},
        )

    def finish(self, mark: str) -> None:
        """Note that every step was done, so that the next run starts anew."""
        write_json(
            self._state, {"schema_version": 1, "text": self.text, "commit": self.commit, "mark": mark, "finished": True}
        )

    def forget(self) -> None:
        """Let the next run start anew."""
        end_marked(str(read_notes(self._state).get("mark")))
        self._state.unlink(missing_ok=True)


def read_notes(path: Path) -> dict[str, Any]:
    """Return what a file of notes holds; of one that is not there or not whole, nothing."""
    try:
        notes = read_json(path, "notes") if path.is_file() else {}
    except UserError:
        return {}  # damaged from outside: the run starts anew
    return notes if isinstance(notes, dict) else {}


def progress_of(form: SkillForm, folder: Path, root: Path) -> Progress:
    """Return the notes of a skill's runs in the checkout `root`, kept below `folder`."""
    return Progress(folder / form.number, digest(form.document.text), commit_of(root))


def digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def commit_of(root: Path) -> str:
    """Return the checkout's commit, "" where it is no git repository."""
    done = run_child(["git", "-C", str(root), "rev-parse", "HEAD"], timeout_s=_GIT_SECONDS)
    return done.output.strip() if done.ok else ""


def sets_up(step: CommandLine) -> bool:
    """Return whether a line does nothing but set the shell up; such lines a run that goes on repeats."""
    return bool(step.statement.shapes) and all(map(sets_shell_up, step.statement.shapes))


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Let one process at a time run skills in a checkout.

    Raises
    ------
    UserError : another one does.
    """
    make_folder(folder)
    with open(folder / "lock", "w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UserError(
                "another run of skills is under way", f"in {folder.parent}", "wait for it, or interrupt it"
            ) from error
        yield
