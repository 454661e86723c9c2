# SPDX-License-Identifier: Apache-2.0
"""Scripts in the shell of a device, each with a time limit, and how they end.

The exit status of the client that carries a script to the device cannot be told from the
script's own: adb's is 1 for a lost connection and for a `grep` that found nothing. So every
script prints, as its last line, a word that nothing else can print, with its status.
"""

from __future__ import annotations

import re
import secrets
import shlex
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import ClassVar

from model_profiling.errors import MeasurementError
from model_profiling.processes import ChildResult

#: Reading a few files or properties takes milliseconds; a phone that sleeps, seconds.
SHORT_S = 60.0


class Lost(MeasurementError):
    """The connection to the device ended before the command did; `words` are the client's."""

    def __init__(self, name: str, client: str, words: str) -> None:
        super().__init__(f"the connection to the device {name} was lost" + (f" ({client}: {words})" if words else ""))
        self.words = words


@dataclass(frozen=True)
class Answer:
    """What a script printed, and its exit status."""

    status: int
    text: str

    @property
    def ok(self) -> bool:
        return self.status == 0


class PosixShell(ABC):
    """The shell of one device, behind a client program such as adb or ssh.

    A kind of device says how a script is carried there (`start`), how files are (`send`,
    `fetch`), and what its client says when that fails (`words_of`); the rest follows.
    `client` is what people call the client program, `command` how they reach the shell with
    it, and `complaints` how the lines begin that it mixes into a program's output.
    """

    client: ClassVar[str]
    command: ClassVar[str]
    complaints: ClassVar[tuple[str, ...]] = ()

    @property
    @abstractmethod
    def name(self) -> str:
        """What people call the device."""

    @abstractmethod
    def start(self, script: str, *, timeout_s: float, log: Path | None = None) -> ChildResult:
        """Run a script on the device; its output goes to `log` as it comes, where one is given."""

    @abstractmethod
    def send(self, path: Path, target: PurePosixPath, *, timeout_s: float) -> ChildResult:
        """Bring a local file to the path `target` on the device."""

    @abstractmethod
    def fetch(self, folder: PurePosixPath, into: Path, *, timeout_s: float) -> ChildResult:
        """Bring the content of a folder on the device into the local folder `into`."""

    @abstractmethod
    def words_of(self, child: ChildResult) -> str:
        """Return why one of the three failed, in the client's own words where it has some."""

    def without_noise(self, text: str) -> str:
        """Return a script's output without what the client says of itself."""
        return text

    def lost(self, words: str) -> Lost:
        return Lost(self.name, self.client, words)

    def shell(self, script: str, timeout_s: float = SHORT_S) -> Answer:
        """Run a script to its end and return what it printed.

        Raises
        ------
        Lost : the connection ended first, or the time limit passed.
        """
        mark = new_mark()
        child = self.start(marked(script, mark), timeout_s=timeout_s)
        answer = split_mark(child.output, mark)
        if answer is None:
            raise self.lost(self.words_of(child))
        return Answer(answer.status, self.without_noise(answer.text))

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
                f"{doing}: the device {self.name} answered with status {answer.status}"
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
    return Answer(int(match[1]), text[: match.start()]) if match else None


def last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip() if lines else ""
