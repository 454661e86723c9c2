# SPDX-License-Identifier: Apache-2.0
"""One shell for one document: a bash script that runs each command line and notes how it went.

The shell is one process from the first line to the last, so folders, variables and an activated
environment stay as they do for a reader; and a command line stands in it as the page has it.
"""

from __future__ import annotations

import re
import shlex
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from model_profiling.files import drop_torn_line, whole_lines
from model_profiling.processes import run_child
from tools.pages.reader.following import CommandLine
from tools.pages.running.surroundings import Surroundings

#: A reader's pipeline goes on when its right side (`head`) has read enough.
_SIGPIPE_STATUS = 141
_LOOK_SECONDS = 0.2
_EVENT = re.compile(rb"(?:begin|end) (?P<number>\d{1,6})(?: (?P<status>\d{1,3}))? (?P<at>\d{1,9})")
_HEAD = """\
exec 3>>"$PAGE_EVENTS"
__page_end() {
  printf 'end %s %s %s\\n' "$1" "$2" "$SECONDS" >&3
  [ "$2" = "$3" ] || [ "$4" = goes-on ] || exit 0
}
trap 'trap "" TERM; kill -TERM 0 2>/dev/null' EXIT
cd "$PAGE_START" || exit 0
"""


@dataclass(frozen=True)
class Save:
    """A block that the reader saves to a file before going on."""

    path: str
    text: str


@dataclass(frozen=True)
class Typed:
    """A command line to be typed, with its number among the document's; `goes_on`: also where it fails."""

    number: int
    step: CommandLine
    goes_on: bool = False


@dataclass(frozen=True)
class Ran:
    """How one command line went. `status` is None where it did not come to an end."""

    step: CommandLine
    status: int | None
    seconds: int
    output: str

    @property
    def ok(self) -> bool:
        return self.status == expected_status(self.step)


Told = Callable[[int, Ran], None]


def expected_status(step: CommandLine) -> int:
    return step.options.exits if step.last else 0


def run_session(
    actions: Sequence[Save | Typed], place: Surroundings, start: Path, limit_s: float, told: Told | None = None
) -> tuple[dict[int, Ran], bool]:
    """Run command lines in one shell, up to the first that fails.

    Returns what was run by the lines' numbers, and whether the time limit ended it. `told` hears
    of each line when it has ended, in a thread of its own. What earlier sessions noted is kept.
    """
    folder = place.session
    folder.mkdir(parents=True, exist_ok=True)
    events = folder / "events"
    drop_torn_line(events)
    before = len(whole_lines(events))
    steps = {action.number: action.step for action in actions if isinstance(action, Typed)}
    script = folder / "page.bash"
    script.write_text(_script(actions, folder), encoding="utf-8")
    environment = {**place.environment(), "PAGE_EVENTS": str(events), "PAGE_START": str(start)}
    try:
        with _listening(steps, folder, before, told):
            done = run_child(
                [
                    "env",
                    "-i",
                    *(f"{k}={v}" for k, v in environment.items()),
                    "bash",
                    "--noprofile",
                    "--norc",
                    str(script),
                ],
                timeout_s=limit_s,
                cwd=place.home,
                log=folder / "shell.log",
            )
    finally:
        place.end_processes()
    return results(steps, folder, before), done.timed_out


def forget(folder: Path) -> None:
    """Remove what an earlier session left in a folder."""
    for old in folder.iterdir() if folder.is_dir() else ():
        old.unlink()


def results(steps: Mapping[int, CommandLine], folder: Path, since: int = 0) -> dict[int, Ran]:
    """Return how lines went, by their numbers, as far as a shell began them; the last time counts.

    `since` leaves out that many events of earlier sessions.
    """
    begun: dict[int, int] = {}
    ended: dict[int, tuple[int, int]] = {}
    for event in filter(None, map(_EVENT.fullmatch, whole_lines(folder / "events")[since:])):
        number = int(event["number"])
        if event["status"] is None:
            begun[number] = int(event["at"])
            ended.pop(number, None)
        else:
            ended[number] = int(event["status"]), int(event["at"])
    return {
        number: _ran(steps[number], begun[number], ended.get(number), folder / str(number))
        for number in begun
        if number in steps
    }


def _ran(step: CommandLine, begun: int, ended: tuple[int, int] | None, output: Path) -> Ran:
    status, at = ended or (None, begun)
    text = output.read_text(encoding="utf-8", errors="replace") if output.exists() else ""
    return Ran(step, status, at - begun, text)


@contextmanager
def _listening(steps: Mapping[int, CommandLine], folder: Path, before: int, told: Told | None) -> Iterator[None]:
    """Tell of each line of this session as it ends, while the caller waits for the shell."""
    if told is None:
        yield
        return
    over = threading.Event()

    def listen() -> None:
        heard = before
        while True:
            last = over.wait(_LOOK_SECONDS)
            lines = whole_lines(folder / "events")
            numbers = [
                int(event["number"])
                for event in map(_EVENT.fullmatch, lines[heard:])
                if event and event["status"] is not None
            ]
            known = results(steps, folder, before) if numbers else {}
            for number in numbers:
                told(number, known[number])
            heard = len(lines)
            if last:
                return

    thread = threading.Thread(target=listen)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _script(actions: Sequence[Save | Typed], folder: Path) -> str:
    lines = [_HEAD]
    for action in actions:
        if isinstance(action, Save):
            content = folder / f"saved-{len(lines)}"
            content.write_text(action.text, encoding="utf-8")
            lines.append(f"cp {shlex.quote(str(content))} {shlex.quote(action.path)}\n")
        else:
            lines.append(_command_line(action, folder / str(action.number)))
    return "".join(lines)


def _command_line(typed: Typed, output: Path) -> str:
    # In a pipeline every side has to succeed, so a script that fails before `| head` is seen.
    step, number = typed.step, typed.number
    if step.statement.is_pipeline:
        worst = (
            'for __s in "${__p[@]}"; do '
            f'[ "$__s" -eq 0 ] || [ "$__s" -eq {_SIGPIPE_STATUS} ] || __page_status=$__s; done\n'
        )
    else:
        worst = ""
    return (
        f"printf 'begin {number} %s\\n' \"$SECONDS\" >&3\n"
        f'{{\n{step.statement.text}\n__p=("$?" "${{PIPESTATUS[@]}}"); __page_status=${{__p[0]}}\n}} '
        f">{shlex.quote(str(output))} 2>&1 3>&-\n{worst}"
        f'__page_end {number} "$__page_status" {expected_status(step)} {"goes-on" if typed.goes_on else "ends"}\n'
    )
