# SPDX-License-Identifier: Apache-2.0
"""One shell for one page: a bash script that runs each command line and notes how it went.

The shell is one process from the first line to the last, so folders, variables and an activated
environment stay as they do for a reader; and a command line stands in it as the page has it.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from model_profiling.processes import run_child
from pages.following import Step
from pages.running.workspace import Workspace

#: A reader's pipeline goes on when its right side (`head`) has read enough.
_SIGPIPE_STATUS = 141
_HEAD = """\
exec 3>>"$PAGE_EVENTS"
__page_end() {
  printf 'end %s %s %s\\n' "$1" "$2" "$SECONDS" >&3
  [ "$2" = "$3" ] || exit 0
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
class Ran:
    """How one command line went. `status` is None where it did not come to an end."""

    step: Step
    status: int | None
    seconds: int
    output: str

    @property
    def ok(self) -> bool:
        return self.status == expected_status(self.step)


def expected_status(step: Step) -> int:
    return step.options.exits if step.last else 0


def run_session(actions: Sequence[Step | Save], workspace: Workspace, start: Path, limit_s: float) -> tuple[list[Ran], bool]:
    """Run a page's command lines in one shell, up to the first that fails.

    Returns what was run, and whether the time limit ended it.
    """
    folder = workspace.root / "session"
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    steps = [action for action in actions if isinstance(action, Step)]
    script = folder / "page.bash"
    script.write_text(_script(actions, folder), encoding="utf-8")
    environment = {**workspace.environment(), "PAGE_EVENTS": str(folder / "events"), "PAGE_START": str(start)}
    done = run_child(["env", "-i", *(f"{k}={v}" for k, v in environment.items()), "bash", "--noprofile", "--norc", str(script)],
                     timeout_s=limit_s, cwd=workspace.home, log=folder / "shell.log")
    workspace.end_processes()
    return _results(steps, folder), done.timed_out


def _script(actions: Sequence[Step | Save], folder: Path) -> str:
    lines = [_HEAD]
    number = 0
    for action in actions:
        if isinstance(action, Save):
            content = folder / f"saved-{len(lines)}"
            content.write_text(action.text, encoding="utf-8")
            lines.append(f"cp {shlex.quote(str(content))} {shlex.quote(action.path)}\n")
        else:
            lines.append(_command_line(number, action, folder / str(number)))
            number += 1
    return "".join(lines)


def _command_line(number: int, step: Step, output: Path) -> str:
    # In a pipeline every side has to succeed, so a script that fails before `| head` is seen.
    if step.statement.is_pipeline:
        worst = f'for __s in "${{__p[@]}}"; do [ "$__s" -eq 0 ] || [ "$__s" -eq {_SIGPIPE_STATUS} ] || __page_status=$__s; done\n'
    else:
        worst = ""
    return (f"printf 'begin {number} %s\\n' \"$SECONDS\" >&3\n"
            f"{{\n{step.statement.text}\n__p=(\"$?\" \"${{PIPESTATUS[@]}}\"); __page_status=${{__p[0]}}\n}} "
            f">{shlex.quote(str(output))} 2>&1 3>&-\n{worst}"
            f"__page_end {number} \"$__page_status\" {expected_status(step)}\n")


def _results(steps: Sequence[Step], folder: Path) -> list[Ran]:
    events = folder / "events"
    begun: dict[int, int] = {}
    ended: dict[int, tuple[int, int]] = {}
    for line in events.read_text(encoding="utf-8").splitlines() if events.exists() else ():
        kind, number, *values = line.split()
        if kind == "begin":
            begun[int(number)] = int(values[0])
        else:
            ended[int(number)] = int(values[0]), int(values[1])
    results = []
    for number, step in enumerate(steps):
        if number not in begun:
            break
        status, at = ended.get(number, (None, begun[number]))
        output = folder / str(number)
        text = output.read_text(encoding="utf-8", errors="replace") if output.exists() else ""
        results.append(Ran(step, status, at - begun[number], text))
    return results
