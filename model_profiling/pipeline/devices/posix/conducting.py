# SPDX-License-Identifier: Apache-2.0
"""Turns taken on the device: one script there starts the sides of a pair and tells them what to do.

The pace is then the device's own, whatever carries the script. A POSIX shell is enough for it: each side has two
FIFOs, and `echo` and `read` are the shell's own words.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from model_profiling.errors import MeasurementError
from model_profiling.json_objects import JsonObject
from model_profiling.pipeline.cpu import affinity
from model_profiling.pipeline.devices.posix.launching import split_status
from model_profiling.pipeline.devices.posix.shell import PosixShell, quote
from model_profiling.pipeline.lockstep.conductor import Conducted, SideFailed, read_answer
from model_profiling.pipeline.lockstep.script import END, START, Cue
from model_profiling.processes import ChildResult

#: A POSIX shell's file descriptors for `exec` go up to 9, and each side has two of them.
MOST_SIDES = 3
_FIRST_FD = 3
_PROBE = "kit-word"
_ANSWER, _ENDED, _GONE = "kit-answer", "kit-ended", "kit-gone"


def why_no_fifo(shell: PosixShell, folder: PurePosixPath) -> str:
    """Say why the device's shell cannot talk to a side through a FIFO in `folder`; "" where it can.

    Some Androids let the shell's user make no FIFO, so one is made and a word sent through it.

    Raises
    ------
    Lost : the connection ended first.
    """
    place, probe = quote(folder), quote(folder / "probe")
    # Opened for both directions, which waits for nobody. What failed to open ends its shell; nothing is left behind.
    answer = shell.shell(
        f"mkdir -p {place} && rm -f {probe}\n(mkfifo {probe} && exec 3<> {probe} && echo {_PROBE} >&3 "
        f"&& read -r kit_word <&3 && echo $kit_word)\nrm -f {probe}; rmdir {place} 2>/dev/null"
    )
    if _PROBE in answer.text.split():
        return ""
    said = " ".join(answer.text.split()) or "a word sent through one does not arrive"
    return f"the device's shell has no FIFO to give turns through: {said}"


@dataclass(frozen=True)
class RemoteSide:
    """A side as the device starts it: its words, its environment, its cores, and a folder of its own there."""

    argv: Sequence[str]
    env: Mapping[str, str]
    cores: Sequence[int] | None
    folder: PurePosixPath

    @property
    def log(self) -> PurePosixPath:
        """Where its messages go."""
        return self.folder / "side.log"

    def command(self, said: PurePosixPath, told: PurePosixPath) -> str:
        """Return the command that runs it between its two FIFOs."""
        pinned = ("taskset", affinity.mask(self.cores)) if self.cores else ()
        words = [*pinned, "env", *(f"{key}={value}" for key, value in self.env.items()), *self.argv]
        return f"{' '.join(map(quote, words))} < {quote(told)} > {quote(said)} 2> {quote(self.log)}"


def script_for(cues: Sequence[Cue], sides: Sequence[RemoteSide]) -> str:
    """Return the shell script that plays the cues and prints every answer."""
    # A side that has ended breaks the pipe: the shell must outlive it, to say how it ended.
    parts = ["trap '' PIPE", *(_functions(number) for number in range(len(sides)))]
    for cue in cues:
        if cue.says == START:
            parts.append(_start(cue.side, sides[cue.side]))
        elif cue.says == END:
            parts.append(f"end_{cue.side}")
        else:
            parts.append(f"ask_{cue.side} {quote(cue.says)}")
    return "\n".join(parts)


def _functions(side: int) -> str:
    to, of = _FIRST_FD + 2 * side, _FIRST_FD + 2 * side + 1
    return f"""hear_{side}() {{
  if IFS= read -r kit_line <&{of}; then echo "{_ANSWER} $kit_line"; else left_{side}; fi
}}
ask_{side}() {{ echo "$1" >&{to} 2>/dev/null; hear_{side}; }}
end_{side}() {{ echo {END} >&{to} 2>/dev/null; exec {to}>&-; wait $side_{side}; echo "{_ENDED} {side} $?"; }}
left_{side}() {{ wait $side_{side}; echo "{_GONE} {side} $?"; exit 0; }}"""


def _start(number: int, side: RemoteSide) -> str:
    to, of = _FIRST_FD + 2 * number, _FIRST_FD + 2 * number + 1
    told, said = side.folder / "told", side.folder / "said"
    # The side opens its ends in the same order. It must not hold those of others: their ends would never be seen.
    others = " ".join(f"{fd}<&-" for fd in range(_FIRST_FD, _FIRST_FD + 2 * MOST_SIDES))
    return f"""rm -f {quote(told)} {quote(said)}; mkfifo {quote(told)} {quote(said)} || exit 1
{{ trap - PIPE; exec {others}; exec {side.command(said, told)}; }} &
side_{number}=$!
exec {to}> {quote(told)} {of}< {quote(said)}
hear_{number}"""


def conducted(
    output: str, cues: Sequence[Cue], argvs: Sequence[Sequence[str]], seconds: float, logs: Sequence[Path]
) -> Conducted:
    """Return what the script's output says of the sides; `logs` are where their messages lie on this host.

    Raises
    ------
    SideFailed : a side ended before its time.
    MeasurementError : the output is not that of the script.
    """
    answers: list[JsonObject | None] = []
    children: dict[int, ChildResult] = {}
    lines = iter([line for line in output.splitlines() if line.startswith((_ANSWER, _ENDED, _GONE))])
    for cue in cues:
        word, _, rest = next(lines, "").partition(" ")
        if word == _ANSWER and cue.says != END:
            answers.append(read_answer(rest, argvs[cue.side][0], logs[cue.side]))
        elif word == _ENDED and cue.says == END:
            children[cue.side] = _child(rest, argvs, seconds, logs)[1]
            answers.append(None)
        elif word == _GONE:
            side, child = _child(rest, argvs, seconds, logs)
            raise SideFailed(side, MeasurementError(f"it {child.outcome()}; see {logs[side]}"), child)
        else:
            raise MeasurementError(f"the device's script ended early ({word or 'no word'}); see {logs[cue.side]}")
    return Conducted(answers, [children[side] for side in sorted(children)])


def _child(rest: str, argvs: Sequence[Sequence[str]], seconds: float, logs: Sequence[Path]) -> tuple[int, ChildResult]:
    """Return which side ended, and how."""
    match = re.fullmatch(r"(\d) (\d{1,3})", rest)
    if match is None or int(match[1]) >= len(argvs):
        raise MeasurementError(f"the device's script did not say how a side ended; see {logs[0]}")
    side = int(match[1])
    code, name = split_status(int(match[2]))
    return side, ChildResult(tuple(argvs[side]), code, name, seconds, False, "", logs[side])
