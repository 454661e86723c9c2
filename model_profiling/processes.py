# SPDX-License-Identifier: Apache-2.0
"""The one way the kit starts another program, so that each run leaves argv, exit and duration."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from model_profiling.errors import MeasurementError, UserError
from model_profiling.files import writing

#: What ends a command: Ctrl-C, and what `run_command` takes for it.
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True)
class ChildResult:
    """How one child process went.

    `exit_code` is None when a signal ended it, `signal` is the signal's name or None,
    `duration_s` is wall-clock seconds, `output` holds standard output and error
    together (empty when they went to `log`).
    """

    argv: tuple[str, ...]
    exit_code: int | None
    signal: str | None
    duration_s: float
    timed_out: bool
    output: str
    log: Path | None = None

    @classmethod
    def of(
        cls,
        child: subprocess.Popen[bytes],
        words: Sequence[str],
        started: float,
        timed_out: bool,
        output: bytes | None = None,
        log: Path | None = None,
    ) -> ChildResult:
        """Return how a process that has ended went; `started` is `time.monotonic()` as it was made."""
        code = child.returncode
        return cls(
            argv=tuple(words),
            exit_code=code if code >= 0 else None,
            signal=_signal_name(-code) if code < 0 else None,
            duration_s=time.monotonic() - started,
            timed_out=timed_out,
            output=output.decode("utf-8", "replace") if output else "",
            log=log,
        )

    @property
    def ok(self) -> bool:
        return self.exit_code == 0 and not self.timed_out

    def outcome(self) -> str:
        """Say in words how the process ended."""
        if self.timed_out:
            return f"ran longer than its limit of {self.duration_s:.0f} s"
        if self.signal:
            return f"was ended by {self.signal}"
        return f"exited with status {self.exit_code}"

    def require_ok(self, doing: str) -> ChildResult:
        """Return self, or raise `MeasurementError` naming the outcome and the log."""
        if self.ok:
            return self
        last = self.output.strip().splitlines()[-1:] or [""]
        told = f"see {self.log}" if self.log else last[0]
        raise MeasurementError(f"{doing}: {Path(self.argv[0]).name} {self.outcome()}; {told}")


def run_child(
    argv: Sequence[str | os.PathLike[str]],
    *,
    timeout_s: float,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    log: Path | None = None,
) -> ChildResult:
    """Run `argv` to its end, never through a shell; kill its whole process group on a time-out.

    Parameters
    ----------
    timeout_s : seconds after which the group is killed.
    env : variables added to this process's own.
    log : file that standard output and error are appended to; else they are captured.

    Raises
    ------
    UserError : the program does not exist or may not be executed.
    """
    words = tuple(os.fspath(word) for word in argv)
    merged = {**os.environ, **(env or {})}
    sink: IO[bytes] | int = open(log, "ab") if log else subprocess.PIPE
    started = time.monotonic()
    try:
        with started_child(
            words, stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.STDOUT, env=merged, cwd=cwd
        ) as child:
            output, timed_out = _wait(child, timeout_s)
    finally:
        if not isinstance(sink, int):
            sink.close()
    return ChildResult.of(child, words, started, timed_out, output, log)


def run_logged(
    argv: Sequence[str | os.PathLike[str]], *, timeout_s: float, log: Path, env: Mapping[str, str] | None = None
) -> tuple[ChildResult, str]:
    """Run one of the kit's commands with its command line and its output added to `log`; the rest as `run_child`.

    Returns
    -------
    How it went, and of a command that failed why: its own error line, else its outcome with its last line.
    """
    with writing(log):
        log.parent.mkdir(parents=True, exist_ok=True)
        with open(log, "ab") as file:
            file.write(f"\n$ {shlex.join(os.fspath(word) for word in argv)}\n".encode("utf-8", "replace"))
        begin = log.stat().st_size
    child = run_child(argv, timeout_s=timeout_s, log=log, env=env)
    if child.ok:
        return child, ""
    with open(log, "rb") as file:
        file.seek(begin)
        lines = file.read().decode("utf-8", "replace").splitlines()
    told = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    last = [line.strip() for line in lines if line.strip()][-1:]
    return child, told[-1] if told else ": ".join((child.outcome(), *last))


@contextmanager
def started_child(words: Sequence[str], **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """Yield a new process in a group of its own; the group is killed where the process has not ended by then.

    A signal that ends the kit while the process is being made waits until it is known: nothing is left behind.

    Raises
    ------
    UserError : the program does not exist or may not be executed.
    """
    child: subprocess.Popen[bytes] | None = None
    try:
        with _signals_waiting():
            child = subprocess.Popen(words, start_new_session=True, **options)
        yield child
    except OSError as error:  # missing, not executable, or not a program at all
        if child is not None:
            raise
        raise UserError(
            f"cannot start {words[0]} ({error.strerror})", "as a program", "install it or correct its path"
        ) from error
    finally:
        if child is not None and child.poll() is None:  # Ctrl-C, for one
            kill_group(child)
            child.wait()


@contextmanager
def _signals_waiting() -> Iterator[None]:
    """Deliver the signals that end a command when the context is left; only the main thread gets any."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    handlers = {number: signal.getsignal(number) for number in _ENDING}
    ours = {number: handler for number, handler in handlers.items() if callable(handler)}
    for number in ours:
        signal.signal(number, lambda number, frame: came.append(number))
    try:
        yield
    finally:
        for number, handler in ours.items():
            signal.signal(number, handler)
        if came:
            signal.raise_signal(came[0])


def _wait(child: subprocess.Popen[bytes], timeout_s: float) -> tuple[bytes | None, bool]:
    try:
        return child.communicate(timeout=timeout_s)[0], False
    except subprocess.TimeoutExpired:
        kill_group(child)
        return child.communicate()[0], True


def kill_group(child: subprocess.Popen[bytes]) -> None:
    """Kill a process of `started_child` and all that it has started."""
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass  # it ended by itself in between


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
