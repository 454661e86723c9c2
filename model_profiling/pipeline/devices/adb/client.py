# SPDX-License-Identifier: Apache-2.0
"""The adb client: commands to one device, each with a time limit, and what adb says when they fail."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from model_profiling.errors import UserError
from model_profiling.pipeline.devices.posix.shell import SHORT_S, PosixShell
from model_profiling.processes import ChildResult, run_child

_INSTALL = (
    "install Android's platform-tools (Debian, Ubuntu: apt install adb; Fedora: dnf install android-tools; "
    "macOS: brew install android-platform-tools) and put adb on PATH"
)
_SDK_VARIABLES = ("ANDROID_HOME", "ANDROID_SDK_ROOT")
#: What adb prints about its own server, before anything else.
_SERVER_NOISE = re.compile(r"^\* daemon .*$\n?", re.MULTILINE)
_COMPLAINT = re.compile(r"(?:adb: )?(?:error: |failed |cannot )")


def find_adb() -> Path:
    """Return the adb on PATH, else that of an Android SDK; UserError where there is none."""
    folders = [Path(os.environ[name]) / "platform-tools" for name in _SDK_VARIABLES if os.environ.get(name)]
    program = shutil.which("adb") or shutil.which("adb", path=os.pathsep.join(map(str, folders)))
    if not program:
        raise UserError("adb is not installed", "for an Android device", _INSTALL)
    return Path(program)


@dataclass(frozen=True)
class Adb(PosixShell):
    """Commands of `program`, to the device `serial` where one is chosen.

    Which adb server they go to, and on which port, is left to adb: it reads
    ``ADB_SERVER_SOCKET`` and ``ANDROID_ADB_SERVER_PORT`` itself.
    """

    client = "adb"
    command = "adb shell"
    complaints = ("adb: ", "error: ")

    program: Path
    serial: str = ""

    def argv(self, *words: str) -> list[str]:
        return [str(self.program), *(("-s", self.serial) if self.serial else ()), *words]

    def call(self, *words: str, timeout_s: float = SHORT_S, log: Path | None = None) -> ChildResult:
        """Run one adb command to its end, whatever that is."""
        return run_child(self.argv(*words), timeout_s=timeout_s, log=log)

    @property
    def name(self) -> str:
        return self.serial

    def start(self, script: str, *, timeout_s: float, log: Path | None = None) -> ChildResult:
        return self.call("shell", script, timeout_s=timeout_s, log=log)

    def send(self, path: Path, target: PurePosixPath, *, timeout_s: float) -> ChildResult:
        return self.call("push", str(path.resolve()), str(target), timeout_s=timeout_s)

    def fetch(self, folder: PurePosixPath, into: Path, *, timeout_s: float) -> ChildResult:
        return self.call("pull", f"{folder}/.", str(into), timeout_s=timeout_s)

    def words_of(self, child: ChildResult) -> str:
        return words_of(child)

    def without_noise(self, text: str) -> str:
        return _SERVER_NOISE.sub("", text)


def words_of(child: ChildResult) -> str:
    """Return why an adb command failed, in adb's own words where it has some."""
    if child.timed_out:
        return f"no answer within {child.duration_s:.0f} s"
    lines = [line for line in _SERVER_NOISE.sub("", child.output).splitlines() if line.strip()]
    complaints = [line for line in lines if _COMPLAINT.match(line)]
    return clean((complaints or lines[-1:] or [""])[0]) or (
        "it ended without an answer" if child.ok else child.outcome()
    )


def clean(line: str) -> str:
    """Return a line of adb's without the prefixes that it gives its complaints."""
    return re.sub(r"^(?:adb: )?(?:error: )?", "", line.strip())
