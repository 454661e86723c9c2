# SPDX-License-Identifier: Apache-2.0
"""Several processes alive together, of which one at a time executes: made, given their turns, ended.

A process that takes turns (`--take-turns` of the runners) answers one line of JSON when it is
ready, and one for each command: "turn N", "trace", "end".
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from model_profiling.errors import MeasurementError
from model_profiling.json_objects import JsonObject
from model_profiling.pipeline.lockstep.script import END, START, Cue
from model_profiling.processes import ChildResult, kill_group, started_child


@dataclass(frozen=True)
class LaunchCommand:
    """What starts a side: its words, the variables added to the environment, where its messages go, its cores.

    `work` is the local folder that stands for where it writes.
    """

    argv: Sequence[str]
    env: Mapping[str, str]
    log: Path
    work: Path
    cores: tuple[int, ...] | None = None


_FIX = "build the runner again (build_runners.sh)"


class TurnTaker:
    """One process: idle but for its turns. Leaving the context kills it where it has not ended."""

    def __init__(self, command: LaunchCommand, limit_s: float) -> None:
        self._command, self._limit_s = command, limit_s
        self._started = time.monotonic()
        self._said = b""
        self._held = ExitStack()
        with open(command.log, "ab") as log:
            self._process = self._held.enter_context(
                started_child(
                    command.argv,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    env={**os.environ, **command.env},
                    bufsize=0,
                )
            )

    def __enter__(self) -> TurnTaker:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._held.close()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def ask(self, line: str) -> JsonObject:
        """Tell the process something and return its answer."""
        self._say(line)
        return self.answer()

    def end(self) -> ChildResult:
        """Have the process write what it measured; return how it ended."""
        self._say(END)
        return self._ended()

    def _say(self, line: str) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(f"{line}\n".encode())
        except BrokenPipeError as error:
            raise self._gone() from error

    def answer(self) -> JsonObject:
        """Return what the process says next: before anything is asked, that it is ready."""
        assert self._process.stdout is not None
        deadline = time.monotonic() + self._limit_s
        while b"\n" not in self._said:
            if not select.select([self._process.stdout], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise MeasurementError(f"it gave no answer within {self._limit_s:.0f} s; see {self._command.log}")
            more = os.read(self._process.stdout.fileno(), 1 << 16)
            if not more:
                raise self._gone()
            self._said += more
        line, _, self._said = self._said.partition(b"\n")
        return read_answer(line, self._command.argv[0], self._command.log)

    def _gone(self) -> Gone:
        return Gone(self._ended())

    def _ended(self) -> ChildResult:
        """Wait for the process's end; kill it where that does not come."""
        timed_out = False
        try:
            self._process.wait(self._limit_s)
        except subprocess.TimeoutExpired:
            timed_out = True
            kill_group(self._process)
            self._process.wait()
        return ChildResult.of(self._process, self._command.argv, self._started, timed_out, log=self._command.log)


def read_answer(line: str | bytes, program: str, log: Path) -> JsonObject:
    """Return a side's answer; MeasurementError where it is no JSON."""
    try:
        return JsonObject(json.loads(line), f"of {Path(program).name}", _FIX, what="a turn's answer")
    except ValueError as error:
        raise MeasurementError(f"it answered no JSON; see {log}") from error


def conduct(steps: Sequence[Cue], start: Callable[[int], TurnTaker]) -> Conducted:
    """Play a script; `start` starts the side of a number. No side is left alive, however it ends.

    Raises
    ------
    SideFailed : one of them failed; the others are ended.
    """
    sides: dict[int, TurnTaker] = {}
    answers: list[JsonObject | None] = []
    children: dict[int, ChildResult] = {}
    with ExitStack() as alive:
        for step in steps:
            try:
                if step.says == START:
                    sides[step.side] = alive.enter_context(start(step.side))
                    answers.append(sides[step.side].answer())
                elif step.says == END:
                    children[step.side] = sides[step.side].end()
                    answers.append(None)
                else:
                    answers.append(sides[step.side].ask(step.says))
            except MeasurementError as error:
                raise SideFailed(step.side, error, error.child if isinstance(error, Gone) else None) from error
    return Conducted(answers, [children[side] for side in sorted(children)])


@dataclass(frozen=True)
class Conducted:
    """A script that was played: the answer to each step, None to an end, and how each side ended."""

    answers: Sequence[JsonObject | None]
    children: Sequence[ChildResult]


class SideFailed(MeasurementError):
    """The side of this number failed; `child` says how it ended, where it did."""

    def __init__(self, side: int, error: MeasurementError, child: ChildResult | None) -> None:
        super().__init__(str(error))
        self.side, self.child = side, child


class Gone(MeasurementError):
    """A process that has ended before its time."""

    def __init__(self, child: ChildResult) -> None:
        super().__init__(f"it {child.outcome()}; see {child.log}")
        self.child = child
