# SPDX-License-Identifier: Apache-2.0
"""A reader's home for one run: empty, with the public address served from the checkout."""

from __future__ import annotations

import os
import posixpath
import shutil
import sys
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from model_profiling import KIT_ADDRESS
from model_profiling.console import say
from model_profiling.errors import UserError
from model_profiling.processes import run_child
from tools import REPOSITORY
from tools.pages.reader.virtual_files import CLONE, HOME
from tools.pages.reading.document import Document
from tools.pages.running import lent_packages, stand_ins
from tools.pages.running.marked_processes import MARK, end_marked

_CLONE_SECONDS = 300
_STATUS_SECONDS = 60
#: What belongs to the terminal that started this, and not to a reader's new one.
_NOT_INHERITED = (
    "VIRTUAL_ENV",
    "PYTHONPATH",
    "PYTHONHOME",
    "KIT_SOURCE",
    "SME2_KIT_BOOTSTRAP",
    "SME2_MODEL_PATH",
    "CDPATH",
    "BASH_ENV",
)


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
    def session(self) -> Path:
        """The shell's script, its events and its outputs."""
        return self.root / "session"

    def environment(self) -> Mapping[str, str]:
        """Return the environment of the reader's shell."""
        kept = {name: value for name, value in os.environ.items() if name not in _NOT_INHERITED}
        own = str(Path(sys.prefix) / "bin")
        path = [
            str(stand_ins.programs_of(self.root)),
            *(p for p in os.environ.get("PATH", "").split(os.pathsep) if p != own),
        ]
        real_home = Path.home()
        kept.setdefault("XDG_CACHE_HOME", str(real_home / ".cache"))  # downloads of earlier runs are worth keeping
        kept.setdefault("XDG_CONFIG_HOME", str(real_home / ".config"))
        legacy = real_home / ".pip" / "pip.conf"
        if legacy.is_file():
            kept.setdefault("PIP_CONFIG_FILE", str(legacy))
        return kept | {
            "HOME": str(self.home),
            "PATH": os.pathsep.join(path),
            "TERM": "dumb",
            MARK: self.mark,
            "GIT_CONFIG_GLOBAL": str(self.root / "gitconfig"),
            "GIT_TERMINAL_PROMPT": "0",
            **stand_ins.variables(self.root),
        }

    def make_clone(self) -> None:
        """Clone the checkout's last commit to where a page that starts in the kit expects it.

        Raises
        ------
        UserError : the checkout is no git repository.
        """
        if self.clone.exists():
            return
        done = run_child(
            ["git", "clone", "--quiet", f"{KIT_ADDRESS}.git", str(self.clone)],
            timeout_s=_CLONE_SECONDS,
            env=self.environment(),
        )
        if not done.ok:
            raise UserError(
                f"the checkout cannot be cloned ({done.output.strip()[-200:]})",
                f"at {self.checkout}",
                "run this from a clone of the repository",
            )

    def end_processes(self) -> None:
        """End whatever the run has left running."""
        end_marked(self.mark)

    def start(self, document: Document) -> Path:
        """Return where a document's shell starts, with the clone there that it expects."""
        if document.settings.start_in != "HOME" and not document.settings.after:
            self.make_clone()
        start = document.settings.start_in or posixpath.relpath(CLONE, HOME)
        return self.home if start == "HOME" else self.home / start


def tell_of_changes() -> None:
    """Say where the working copy differs from the last commit, which is what a clone has."""
    done = run_child(["git", "-C", str(REPOSITORY), "status", "--porcelain"], timeout_s=_STATUS_SECONDS)
    changed = len(done.output.splitlines()) if done.ok else 0
    if changed:
        say(
            f"note: {changed} file{' differs' if changed == 1 else 's differ'} from the last commit, which is what a "
            "reader clones; the pages themselves are read as they are"
        )


@contextmanager
def new_workspace(checkout: Path, lends: bool = False) -> Iterator[Workspace]:
    """Make a workspace; at the end no file and no process of it is left, whatever happened.

    `lends` has clones of the kit find this environment's packages (`lent_packages`).
    """
    folder = Path(tempfile.mkdtemp(prefix="pages-"))
    workspace = Workspace(folder.resolve(), checkout, uuid.uuid4().hex)
    try:
        _prepare(workspace, lends)
        yield workspace
    finally:
        workspace.end_processes()
        shutil.rmtree(folder, ignore_errors=True)


def _prepare(workspace: Workspace, lends: bool) -> None:
    workspace.home.mkdir()
    template = f"\ttemplateDir = {lent_packages.hook_folder(workspace.root / 'git-template')}\n" if lends else ""
    address = workspace.checkout.resolve().as_uri()
    (workspace.root / "gitconfig").write_text(
        f'[url "{address}"]\n\tinsteadOf = {KIT_ADDRESS}.git\n\tinsteadOf = {KIT_ADDRESS}\n'
        '[protocol "file"]\n\tallow = always\n[uploadpack]\n\tallowFilter = true\n[safe]\n\tdirectory = *\n'
        f"[advice]\n\tdetachedHead = false\n[init]\n\tdefaultBranch = main\n{template}"
        "[user]\n\tname = Reader\n\temail = reader@example.org\n",
        encoding="utf-8",
    )
    stand_ins.make(workspace.root, workspace.checkout)
