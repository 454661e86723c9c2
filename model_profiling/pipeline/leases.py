# SPDX-License-Identifier: Apache-2.0
"""One measurement at a time on a device, whoever asks: two would disturb each other, and neither would know.

A lease is a lock on a file that all users of this machine share. The system frees it with the process, however that
ends, so none is ever stale; what the file says of its holder is there to be told to the next one that asks.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from model_profiling.console import say
from model_profiling.errors import UserError, one_line
from model_profiling.wording import duration

#: Set where several measurements at once are meant, as by this project's own tests.
SHARE_VARIABLE = "SME2_SHARE_CPU"
_NAME = "sme2-executorch-profiling"
_MOST_SAID = 500
_KEY_DIGITS = 16
_LOOK_EVERY_S = 0.2


@dataclass(frozen=True)
class Leased:
    """What one measurement at a time may have: `key` tells it from others, "" of this host's CPU."""

    key: str
    called: str
    fix: str

    @property
    def path(self) -> Path:
        """The file that is locked."""
        digest = hashlib.sha256(self.key.encode()).hexdigest()[:_KEY_DIGITS]
        return Path(tempfile.gettempdir(), f"{_NAME}-{digest}.lock" if self.key else f"{_NAME}.lock")


THIS_HOST = Leased(
    "",
    "this machine",
    "wait for it to end, have this one wait with --wait SECONDS, or add --share-cpu and expect both to be disturbed",
)


def phone(serial: str, boot: str) -> Leased:
    """Return the lease of a device over adb, the same one however it is connected.

    Serials of emulators and of some boards are all alike, so what differs from start to start of a system counts too.
    """
    fix = "wait for it to end, have this one wait with --wait SECONDS, or name another device"
    return Leased(f"{serial} {boot}", f"the device {serial}", fix)


@contextmanager
def lease(wanted: Leased, what: str, wait_s: float = 0.0) -> Iterator[None]:
    """Hold a device; `what` is told to the next one that asks, with this process, its command and the time.

    Parameters
    ----------
    wait_s : how long to wait for another measurement to end.

    Raises
    ------
    UserError : another process holds it; the message says which.
    """
    lock = _held(wanted, wait_s)
    try:
        if lock is not None:
            _say(lock, f"process {os.getpid()}, {Path(sys.argv[0]).name} for {what}, since {_now()}\n")
        yield
        if lock is not None:
            _say(lock, "")
    finally:
        if lock is not None:
            os.close(lock)


def _held(wanted: Leased, wait_s: float) -> int | None:
    """Return the locked file, None where nobody could be told."""
    deadline, told = time.monotonic() + wait_s, False
    while (lock := _opened(wanted.path)) is not None:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(lock, _MOST_SAID, 0).decode("utf-8", "replace").strip() or "another process"
            os.close(lock)
            if time.monotonic() >= deadline:
                waited = f", and did for {duration(wait_s)}" if wait_s else ""
                raise UserError(
                    f"{wanted.called} measures already ({holder}){waited}", f"at {wanted.path}", wanted.fix
                ) from error
            if not told:
                say(one_line(f"waiting for {wanted.called} ({holder})"))
                told = True
            time.sleep(_LOOK_EVERY_S)
        else:
            if _same_file(lock, wanted.path):
                return lock
            os.close(lock)  # whoever tidies up took it away meanwhile: a lock that no other can see
    return None


def _opened(path: Path) -> int | None:
    """Open the file that all users of the machine share; a link in its place is nobody's lock."""
    for flags in (os.O_RDWR, os.O_RDWR | os.O_CREAT, os.O_RDONLY):  # another user's may be read alone
        try:
            return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        except OSError:
            continue
    return None


def _same_file(lock: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(lock), os.stat(path))
    except FileNotFoundError:
        return False


def _say(lock: int, text: str) -> None:
    try:
        os.ftruncate(lock, 0)
        os.pwrite(lock, text.encode("utf-8", "replace")[:_MOST_SAID], 0)
    except OSError:
        pass  # another user's file: the lock holds all the same


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z")
