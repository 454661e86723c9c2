# SPDX-License-Identifier: Apache-2.0
"""The adb client: commands to one device, each with a time limit, and how they end.

adb's own exit status cannot be told from that of the program it started: it is 1 for a lost
connection and for a `grep` that found nothing. So every remote script prints, as its last
line, a word that nothing else can print, with the script's status.
"""

from __future__ import annotations

import os
import re
import secrets
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path

from model_profiling.errors import MeasurementError, UserError
from model_profiling.processes import ChildResult, run_child

#: Reading a few files or properties takes milliseconds; a phone that sleeps, seconds.
SHORT_S = 60.0
_INSTALL = (
    "install Android's platform-tools (Debian, Ubuntu: apt install adb; Fedora: dnf install android-tools; "
    "macOS: brew install android-platform-tools) and put adb on PATH"
)
_SDK_VARIABLES = ("ANDROID_HOME", "ANDROID_SDK_ROOT")
#: What adb prints about its own server, before anything else.
_SERVER_NOISE = re.compile(r"^\* daemon .*$\n?", re.MULTILINE)
_COMPLAINT = re.compile(r"(?:adb: )?(?:error: |failed |cannot )")


class Lost(MeasurementError):
    """The connection to the device ended before the command did; `words` are adb's."""

    def __init__(self, serial: str, words: str) -> None:
        super().__init__(f"the connection to the device {serial} was lost" + (f" (adb: {words})" if words else ""))
        self.words = words


@dataclass(frozen=True)
class Answer:
    """What a remote script printed, and its exit status."""

    status: int
    text: str

    @property
    def ok(self) -> bool:
        return self.status == 0


def find_adb() -> Path:
    """Return the adb on PATH, else that of an Android SDK; UserError where there is none."""
    folders = [Path(os.environ[name]) / "platform-tools" for name in _SDK_VARIABLES if os.environ.get(name)]
    found = shutil.which("adb") or shutil.which("adb", path=os.pathsep.join(map(str, folders)))
    if not found:
        raise UserError("adb is not installed", "for an Android device", _INSTALL)
    return Path(found)


@dataclass(frozen=True)
class Adb:
    """Commands of `program`, to the device `serial` where one is chosen.

    Which adb server they go to, and on which port, is left to adb: it reads
    ``ADB_SERVER_SOCKET`` and ``ANDROID_ADB_SERVER_PORT`` itself.
    """

    program: Path
    serial: str = ""

    def argv(self, *words: str) -> list[str]:
        return [str(self.program), *(("-s", self.serial) if self.serial else ()), *words]

    def call(self, *words: str, timeout_s: float = SHORT_S, log: Path | None = None) -> ChildResult:
        """Run one adb command to its end, whatever that is."""
        return run_child(self.argv(*words), timeout_s=timeout_s, log=log)

    def shell(self, script: str, timeout_s: float = SHORT_S) -> Answer:
        """Run a script in the device's shell.

        Raises
        ------
        Lost : the connection ended first, or the time limit passed.
        """
        mark = new_mark()
        child = self.call("shell", marked(script, mark), timeout_s=timeout_s)
        answer = split_mark(child.output, mark)
        if answer is None:
            raise Lost(self.serial, words_of(child))
        return answer

    def require(self, script: str, doing: str, timeout_s: float = SHORT_S) -> str:
        """Run a script that should succeed and return what it printed.

        Raises
        ------
        MeasurementError : it failed on the device.
        Lost : the connection ended first.
        """
        answer = self.shell(script, timeout_s)
        if not answer.ok:
            raise MeasurementError(
                f"{doing}: the device {self.serial} answered with status {answer.status}"
                f" ({last_line(answer.text) or 'and no word'})"
            )
        return answer.text


def quote(word: object) -> str:
    """Return a word that the device's shell takes for exactly this text."""
    return shlex.quote(str(word))


def new_mark() -> str:
    """Return a word that no program prints by chance."""
    return f"kit-{secrets.token_hex(8)}"


def marked(script: str, mark: str) -> str:
    """Return `script` with its status printed after its output, even where it calls `exit`.

    All of it goes to standard output: adb carries the two outputs apart, and what was written
    first to the other one, such as the shell's word on a crash, could arrive after the status.
    """
    return f"{{\n(\n{script}\n)\nkit_status=$?; echo; echo {mark}:$kit_status\n}} 2>&1"


def split_mark(text: str, mark: str) -> Answer | None:
    """Return a marked script's answer; None where its last line is not there."""
    match = re.search(rf"\n{mark}:(\d+)\s*\Z", text)
    if match is None:
        return None
    return Answer(int(match[1]), _SERVER_NOISE.sub("", text[: match.start()]))


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


def last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip() if lines else ""
