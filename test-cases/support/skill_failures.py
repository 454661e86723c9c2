# SPDX-License-Identifier: Apache-2.0
"""The skills' failure tables, acted out: a desk with the kit on it, one shell, the row's fix as typed.

A *cause* makes one row's failure for real on a desk and returns what a reader then types. The tables
say the rest: what is printed, and what to type to repair it.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from support.pages import REPOSITORY  # puts tools/ on the path
from tools.pages.reading.lexer import read_document
from tools.pages.reading.skill_form import Failure, read_form
from tools.pages.running.outputs import shows

SKILLS = REPOSITORY / "agent_skill_ml_profiling"
#: Rows with these words in their cause need what a Linux machine has not.
ELSEWHERE = ("(on a phone)", "(on macOS)")
SESSION_SECONDS = 300
_OWN = ("VIRTUAL_ENV", "PYTHONPATH", "KIT_SOURCE", "SME2_KIT_BOOTSTRAP", "SME2_MODEL_PATH", "BASH_ENV")


@dataclass(frozen=True)
class Typed:
    """What a reader types when a row's failure shows.

    `command` prints the symptom. After the fix `then` has to work: the same command unless it is
    given; an empty one where the fix is the corrected command. `meanwhile` happens while `command`
    runs. `status` is what it ends with: 0 for a symptom that is no error.
    """

    command: str
    then: str | None = None
    meanwhile: Callable[[subprocess.Popen], None] | None = None
    status: Sequence[int] = (1, 2)

    @property
    def proof(self) -> str:
        return self.command if self.then is None else self.then


@dataclass
class Desk:
    """A folder that a reader takes for the kit's: its tools, an environment, and files to damage."""

    root: Path
    environment: dict[str, str] = field(default_factory=dict)
    #: What a new shell types first.
    begin: tuple[str, ...] = ("source .venv/bin/activate",)
    #: What the shell is started with, such as a namespace of its own.
    around: tuple[str, ...] = ()

    def __truediv__(self, name: str) -> Path:
        return self.root / name

    def type(self, *commands: str) -> subprocess.CompletedProcess[str]:
        """Type commands into a new shell; stop at the first that fails."""
        return subprocess.run(
            self.shell("\n".join(("set -e", *self.begin, *commands))),
            cwd=self.root,
            env=self.variables(),
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=SESSION_SECONDS,
        )

    def shell(self, script: str) -> list[str]:
        return [*self.around, "bash", "--noprofile", "--norc", "-c", script]

    def variables(self) -> dict[str, str]:
        own = str(Path(sys.prefix) / "bin")
        path = os.pathsep.join(p for p in os.environ["PATH"].split(os.pathsep) if p != own)
        return (
            {k: v for k, v in os.environ.items() if k not in _OWN}
            | {"PATH": path, "PWD": str(self.root)}
            | self.environment
        )


Cause = Callable[[Desk], Typed]
CAUSES: dict[tuple[str, str], Cause] = {}


def cause(skill: str, symptom: str) -> Callable[[Cause], Cause]:
    """Register what causes the row of a skill (two digits) with this symptom."""

    def register(function: Cause) -> Cause:
        assert (skill, symptom) not in CAUSES, f"two causes for {symptom}"
        CAUSES[skill, symptom] = function
        return function

    return register


def rows() -> Iterator[tuple[str, Failure]]:
    """Yield every row of every skill's failure table with the skill's number."""
    for path in sorted(SKILLS.glob("[0-9][0-9]_*.md")):
        form = read_form(read_document(path, path.name))
        yield from ((form.number, row) for row in form.failures())


def is_elsewhere(row: Failure) -> bool:
    return any(words in row.cause for words in ELSEWHERE)


def act(desk: Desk, typed: Typed, row: Failure, record: Path) -> None:
    """Type the failing command, the row's fix, and what has to work then, in one shell; judge each."""
    record.mkdir()
    said = _in_one_shell(desk, typed, [typed.command, *row.commands, *filter(None, [typed.proof])], record)
    status, printed = said[0] if said else (None, "")
    assert status in typed.status, f"{typed.command}\nended with {status}, not {typed.status}\n{printed[-2000:]}"
    assert shows(row.symptom, printed), f'{typed.command}\ndid not print "{row.symptom}" but\n{printed[-2000:]}'
    for command, (status, printed) in zip([*row.commands, *filter(None, [typed.proof])], said[1:], strict=False):
        assert status == 0, f"{command}\nended with {status}\n{printed[-2000:]}"
    assert len(said) == 1 + len(row.commands) + bool(typed.proof), "the shell ended early"
    if typed.proof == typed.command:
        assert not shows(row.symptom, said[-1][1]), f"the fix leaves the symptom\n{said[-1][1][-2000:]}"


def _in_one_shell(desk: Desk, typed: Typed, commands: Sequence[str], record: Path) -> list[tuple[int, str]]:
    """Run commands in one shell; return the status and the output of each up to the first unexpected one."""
    lines = [*desk.begin]
    for number, command in enumerate(commands):
        lines.append(
            f"{{ {command}\n}} >{shlex.quote(str(record / f'{number}.out'))} 2>&1; __status=$?; "
            f"echo $__status >{shlex.quote(str(record / f'{number}.status'))}"
        )
        lines.append("" if number == 0 else "[ $__status = 0 ] || exit")
    shell = subprocess.Popen(
        desk.shell("\n".join(lines)),
        cwd=desk.root,
        env=desk.variables(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    if typed.meanwhile:
        threading.Thread(target=typed.meanwhile, args=(shell,), daemon=True).start()
    try:
        early = shell.communicate(timeout=SESSION_SECONDS)[0]
    finally:
        shell.kill()
    statuses = [record / f"{number}.status" for number in range(len(commands))]
    assert statuses[0].is_file(), early
    return [
        (int(path.read_text()), path.with_suffix(".out").read_text(errors="replace"))
        for path in statuses
        if path.is_file()
    ]
