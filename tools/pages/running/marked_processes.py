# SPDX-License-Identifier: Apache-2.0
"""The processes of a run, found by a mark in their environment, and ended."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from model_profiling.processes import run_child

#: The variable whose value is the run's mark.
MARK = "PAGE_RUN"
_GRACE_SECONDS = 5.0
_LIST_SECONDS = 30


def end_marked(mark: str) -> None:
    """End whatever a run has left running: first asked, then killed."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        running = list(_marked(mark))
        for process in running:
            _send(process, number)
        deadline = time.monotonic() + _GRACE_SECONDS
        while running and time.monotonic() < deadline:
            running = [p for p in running if p in set(_marked(mark))]
            time.sleep(0.05)


def _marked(mark: str) -> Iterator[int]:
    """Yield the processes that carry `mark` in their environment.

    A session of its own, which the kit gives every measured program, hides a process from its
    group's signals; its environment it keeps.
    """
    wanted = f"{MARK}={mark}"
    if Path("/proc/self/environ").exists():
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit() and int(folder.name) != os.getpid():
                try:
                    if wanted.encode() in (folder / "environ").read_bytes().split(b"\0") and "Z" not in _state(folder):
                        yield int(folder.name)
                except OSError:
                    continue  # it ended, or is somebody else's
        return
    listed = run_child(["ps", "-Awwo", "pid=,command=", "-E"], timeout_s=_LIST_SECONDS).output
    yield from (
        int(line.split()[0]) for line in listed.splitlines() if wanted in line and int(line.split()[0]) != os.getpid()
    )


def _state(folder: Path) -> str:
    return (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()[0]


def _send(process: int, number: signal.Signals) -> None:
    try:
        os.kill(process, number)
    except ProcessLookupError:
        pass  # it ended by itself in between
