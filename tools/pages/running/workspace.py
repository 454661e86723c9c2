# SPDX-License-Identifier: Apache-2.0
"""A reader's home for one run: empty, with the public address served from the checkout."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from model_profiling import KIT_ADDRESS
from model_profiling.errors import UserError
from model_profiling.processes import run_child
from pages import programs

_CLONE_SECONDS = 300
_GRACE_SECONDS = 5.0
#: What belongs to the terminal that started this, and not to a reader's new one.
_NOT_INHERITED = ("VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME", "KIT_SOURCE", "SME2_KIT_BOOTSTRAP", "SME2_MODEL_PATH", "CDPATH", "BASH_ENV")
_MARK = "PAGE_RUN"


@dataclass(frozen=True)
class Workspace:
    """Folders of one run. `mark` is in the environment of every process that the run starts."""

    root: Path
    checkout: Path
    mark: str

    @property
    def home(self) -> Path:
        return self.root / "home"

    @property
    def clone(self) -> Path:
        return self.home / "executorch_sme2_kit"

    @property
    def calls(self) -> Path:
        """Where stand-ins note their calls."""
        return self.root / "stand_in_calls"

    def environment(self) -> Mapping[str, str]:
        """Return the environment of the reader's shell."""
        kept = {name: value for name, value in os.environ.items() if name not in _NOT_INHERITED}
        own = str(Path(sys.prefix) / "bin")
        path = [str(self.root / "bin"), *(p for p in os.environ.get("PATH", "").split(os.pathsep) if p != own)]
        real_home = Path.home()
        kept.setdefault("XDG_CACHE_HOME", str(real_home / ".cache"))  # downloads of earlier runs are worth keeping
        kept.setdefault("XDG_CONFIG_HOME", str(real_home / ".config"))
        legacy = real_home / ".pip" / "pip.conf"
        if legacy.is_file():
            kept.setdefault("PIP_CONFIG_FILE", str(legacy))
        return kept | {"HOME": str(self.home), "PATH": os.pathsep.join(path), "TERM": "dumb", _MARK: self.mark,
                       "GIT_CONFIG_GLOBAL": str(self.root / "gitconfig"), "GIT_TERMINAL_PROMPT": "0",
                       "PAGE_STAND_INS": str(self.root / "stand_ins.json")}

    def make_clone(self) -> None:
        """Clone the checkout's last commit to where a page that starts in the kit expects it.

        Raises
        ------
        UserError : the checkout is no git repository.
        """
        if self.clone.exists():
            return
        done = run_child(["git", "clone", "--quiet", f"{KIT_ADDRESS}.git", str(self.clone)], timeout_s=_CLONE_SECONDS,
                         env=self.environment())
        if not done.ok:
            raise UserError(f"the checkout cannot be cloned ({done.output.strip()[-200:]})", f"at {self.checkout}",
                            "run this from a clone of the repository")

    def end_processes(self) -> None:
        """End whatever the run has left running: first asked, then killed."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            running = list(_marked(self.mark))
            for process in running:
                _send(process, number)
            deadline = time.monotonic() + _GRACE_SECONDS
            while running and time.monotonic() < deadline:
                running = [p for p in running if p in set(_marked(self.mark))]
                time.sleep(0.05)


@contextmanager
def new_workspace(checkout: Path) -> Iterator[Workspace]:
    """Make a workspace; at the end no file and no process of it is left, whatever happened."""
    folder = Path(tempfile.mkdtemp(prefix="pages-"))
    workspace = Workspace(folder.resolve(), checkout, uuid.uuid4().hex)
    try:
        _prepare(workspace)
        yield workspace
    finally:
        workspace.end_processes()
        shutil.rmtree(folder, ignore_errors=True)


def _prepare(workspace: Workspace) -> None:
    workspace.home.mkdir()
    (workspace.root / "bin").mkdir()
    address = workspace.checkout.resolve().as_uri()
    (workspace.root / "gitconfig").write_text(
        f'[url "{address}"]\n\tinsteadOf = {KIT_ADDRESS}.git\n\tinsteadOf = {KIT_ADDRESS}\n'
        "[protocol \"file\"]\n\tallow = always\n[uploadpack]\n\tallowFilter = true\n[safe]\n\tdirectory = *\n"
        "[advice]\n\tdetachedHead = false\n[init]\n\tdefaultBranch = main\n[user]\n\tname = Reader\n\temail = reader@example.org\n",
        encoding="utf-8")
    (workspace.root / "stand_ins.json").write_text(json.dumps({
        "calls": str(workspace.calls), "checkout": str(workspace.checkout.resolve()),
        "raw": KIT_ADDRESS.replace("https://github.com/", "https://raw.githubusercontent.com/"),
        "archive": f"{KIT_ADDRESS}/archive/refs/heads/", "name": KIT_ADDRESS.rpartition("/")[2]}), encoding="utf-8")
    script = Path(__file__).with_name("stand_in.py")
    for name, program in programs.known().items():
        if program.needs:
            path = workspace.root / "bin" / name
            path.write_text(f"#!/bin/sh\nexec {shlex.join([sys.executable, '-I', str(script), name])} \"$@\"\n", encoding="utf-8")
            path.chmod(0o755)


def _marked(mark: str) -> Iterator[int]:
    """Yield the processes that carry `mark` in their environment.

    A session of its own, which the kit gives every measured program, hides a process from its
    group's signals; its environment it keeps.
    """
    wanted = f"{_MARK}={mark}"
    if Path("/proc/self/environ").exists():
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit() and int(folder.name) != os.getpid():
                try:
                    if wanted.encode() in (folder / "environ").read_bytes().split(b"\0") and "Z" not in _state(folder):
                        yield int(folder.name)
                except OSError:
                    continue  # it ended, or is somebody else's
        return
    listed = subprocess.run(["ps", "-Awwo", "pid=,command=", "-E"], capture_output=True, text=True, check=False).stdout
    yield from (int(line.split()[0]) for line in listed.splitlines() if wanted in line and int(line.split()[0]) != os.getpid())


def _state(folder: Path) -> str:
    return (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()[0]


def _send(process: int, number: signal.Signals) -> None:
    try:
        os.kill(process, number)
    except ProcessLookupError:
        pass  # it ended by itself in between
