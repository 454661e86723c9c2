# SPDX-License-Identifier: Apache-2.0
"""One measurement at a time on a machine's CPU: two would disturb each other, and neither would know."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from model_profiling.errors import UserError

#: Set where several measurements at once are meant, as by this project's own tests: same as `--share-cpu`.
SHARE_VARIABLE = "SME2_SHARE_CPU"
_NAME = "sme2-executorch-profiling.lock"
_MOST_SAID = 500


@contextmanager
def alone_on_cpu(what: str) -> Iterator[None]:
    """Hold this machine's lock; `what` is told to the next one that asks. The system frees it with the process.

    Raises
    ------
    UserError : another process holds it; the message says which.
    """
    path = Path(tempfile.gettempdir(), _NAME)
    lock = _opened(path)
    if lock is None:  # nobody could be told
        yield
        return
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(lock, _MOST_SAID, 0).decode("utf-8", "replace").strip() or "another process"
            raise UserError(
                f"this machine measures already ({holder})",
                f"at {path}",
                "wait for it to end, or add --share-cpu and expect both to be disturbed",
            ) from error
        _say(lock, f"process {os.getpid()}, {what}\n")
        yield
        _say(lock, "")
    finally:
        os.close(lock)


def _opened(path: Path) -> int | None:
    """Open the file that all users of the machine share; a link in its place is nobody's lock."""
    for flags in (os.O_RDWR, os.O_RDWR | os.O_CREAT, os.O_RDONLY):  # another user's may be read alone
        try:
            return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        except OSError:
            continue
    return None


def _say(lock: int, text: str) -> None:
    try:
        os.ftruncate(lock, 0)
        os.pwrite(lock, text.encode("utf-8", "replace")[:_MOST_SAID], 0)
    except OSError:
        pass  # another user's file: the lock holds all the same
