# SPDX-License-Identifier: Apache-2.0
"""A launch on the device: one process, pinned, its end told apart from the connection's."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from model_profiling.pipeline.cpu import affinity
from model_profiling.pipeline.devices.posix.shell import PosixShell, marked, new_mark, quote, split_mark
from model_profiling.processes import ChildResult

#: A POSIX shell reports a program that signal N ended as status 128 + N.
_SIGNALLED = 128
_TAIL = 200
_END_S = 15.0


def launch(
    shell: PosixShell,
    folder: PurePosixPath,
    argv: Sequence[str],
    env: Mapping[str, str],
    *,
    timeout_s: float,
    log: Path,
    cores: Sequence[int] | None,
) -> ChildResult:
    """Run a program on the device to its end; its output goes to `log` while it runs.

    `argv` and `env` hold the device's own paths. Its process number is left in `folder`, so
    that `end_launch` finds it when the connection is gone.

    Raises
    ------
    Lost : the connection ended before the program did.
    """
    words = [*(("taskset", affinity.mask(cores)) if cores else ()), "env", *(f"{k}={v}" for k, v in env.items()), *argv]
    record = 'echo $$ > "$0"; exec "$@"'
    script = " ".join(["cd", quote(folder), "&&", "exec", "sh", "-c", *map(quote, (record, _pid_file(folder), *words))])
    mark = new_mark()
    child = shell.start(marked(script, mark), timeout_s=timeout_s, log=log)
    status = _take_status(log, mark)
    if status is None and not child.timed_out:
        raise shell.lost(_last_words(shell, log, child))
    code, name = split_status(status)
    return ChildResult(tuple(argv), code, name, child.duration_s, child.timed_out, "", log)


def end_launch(shell: PosixShell, folder: PurePosixPath) -> None:
    """End a launch that still runs on the device although nobody waits for it.

    Raises
    ------
    Lost : there is no connection.
    """
    file = quote(_pid_file(folder))
    # The number may be another process's by now: one of the run's has the run's folder in its command line.
    shell.shell(
        f"p=$(cat {file} 2>/dev/null) || exit 0\nrm -f {file}\n"
        f"if grep -q {quote(folder)} /proc/$p/cmdline 2>/dev/null; then kill -9 $p; fi",
        timeout_s=_END_S,
    )


def _pid_file(folder: PurePosixPath) -> PurePosixPath:
    return folder / "launch.pid"


def _take_status(log: Path, mark: str) -> int | None:
    """Cut the marked status off the log and return it."""
    size = log.stat().st_size
    with open(log, "rb+") as file:
        start = max(size - _TAIL, 0)
        file.seek(start)
        tail = file.read().decode("latin-1")  # one byte a character, so that places are bytes
        answer = split_mark(tail, mark)
        if answer is None:
            return None
        file.truncate(start + len(answer.text))
        return answer.status


def split_status(status: int | None) -> tuple[int | None, str | None]:
    """Return the exit code, or the name of the signal, that a POSIX shell's status stands for."""
    if status is None or status <= _SIGNALLED:
        return status, None
    try:
        return None, signal.Signals(status - _SIGNALLED).name
    except ValueError:
        return status, None


def _last_words(shell: PosixShell, log: Path, child: ChildResult) -> str:
    text = log.read_text(encoding="utf-8", errors="replace")[-4096:]
    said = "\n".join(line for line in text.splitlines() if line.startswith(shell.complaints))
    return shell.words_of(replace(child, output=said))
