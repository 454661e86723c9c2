# SPDX-License-Identifier: Apache-2.0
"""A host of a fleet: one process for itself and one for each phone attached, for as long as each is there."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from model_profiling import PACKAGE_DIR
from model_profiling.command import OWNER_VARIABLE
from model_profiling.console import say
from model_profiling.errors import KitError, UserError
from model_profiling.files import make_folder, writing
from model_profiling.fleet.hosts.address import Address
from model_profiling.fleet.hosts.certificates import Certificates
from model_profiling.fleet.hosts.offer import Offer, host_offer, phone_offer
from model_profiling.fleet.hosts.serving import DEFECT, JOINED, words_for
from model_profiling.fleet.names import as_name
from model_profiling.fleet.wanted_device import ADB, LOCAL
from model_profiling.pipeline.devices.adb.client import Adb, find_adb
from model_profiling.pipeline.devices.adb.finding import connected_phones
from model_profiling.pipeline.devices.adb.identity import read_identity
from model_profiling.pipeline.devices.adb.selection import list_devices
from model_profiling.pipeline.devices.posix.shell import Lost
from model_profiling.processes import started_child
from model_profiling.report.words.fleet import joined, left, scheduler_lost, worker_failed

ALL = "all"
DEVICES = (LOCAL, ADB, ALL)
#: How soon a process that has ended is started again, and adb's list is asked for again where it ended.
_AGAIN_S, _LOOK_S = 3.0, 0.5
#: A phone that adb has not listed for so long has left.
_GONE_S = 5.0


@dataclass(frozen=True)
class HostOptions:
    """Where a host belongs to: `folder` is where it keeps what it measures."""

    address: Address
    certificates: Certificates | None
    folder: Path
    name: str
    devices: str


class _Member:
    """The process of one device."""

    def __init__(self, offer: Offer, options: HostOptions, stack: ExitStack) -> None:
        self.offer, self._options, self._stack = offer, options, stack
        self._told_lost, self.leaving, self._ended = False, False, 0.0
        self.gone_since: float | None = None
        self._log_path = options.folder / "logs" / f"{as_name(offer.key)}.log"
        make_folder(self._log_path.parent)
        with writing(self._log_path):
            self._log = stack.enter_context(open(self._log_path, "ab"))
        self._start()

    def _start(self) -> None:
        options = self._options
        self.offer = replace(self.offer, worker=uuid.uuid4().hex[:12])
        url = options.address.url(options.certificates is not None)
        words = words_for(url, options.certificates, options.folder, self.offer)
        self._scope = self._stack.enter_context(ExitStack())
        self._child = self._scope.enter_context(
            started_child(
                [sys.executable, "-m", "model_profiling.fleet.hosts.serving", words],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=self._log,
                env={**os.environ, OWNER_VARIABLE: str(os.getpid())},
                cwd=PACKAGE_DIR.parent,  # where Python looks first: the same kit as this one
            )
        )
        threading.Thread(target=self._listen, args=(self._child,), daemon=True).start()

    def _listen(self, child: subprocess.Popen[bytes]) -> None:
        for line in child.stdout or ():
            if line.strip() == JOINED.encode():
                self._told_lost = False
                say(joined(self.offer.called))

    def look(self) -> bool:
        """Return whether it is to be kept: one that ended by itself is started again."""
        if self.gone_since is not None and time.monotonic() - self.gone_since > _GONE_S:
            self._leave()
        if self._child.poll() is None:
            return True
        self._scope.close()
        if self.leaving:
            say(left(self.offer.called))
            return False
        if not self._ended:
            self._ended = time.monotonic()
            if not self._told_lost:
                self._tell_end()
            self._told_lost = True
        elif time.monotonic() - self._ended > _AGAIN_S:
            self._ended = 0.0
            self._start()
        return True

    def _tell_end(self) -> None:
        if self._child.returncode == DEFECT:
            say(worker_failed(self.offer.called, str(self._log_path)))
        else:
            say(scheduler_lost(self.offer.called, str(self._options.address)))

    def _leave(self) -> None:
        """Have it end as soon as nothing is being done: a cable that is loose for a moment ends no measurement."""
        if not self.leaving:
            self.leaving = True
            if self._child.poll() is None:
                self._child.send_signal(signal.SIGUSR1)


def serve_host(options: HostOptions) -> None:
    """Offer this host and its phones, until the process is told to end.

    Raises
    ------
    UserError : phones are asked for and there is no adb.
    """
    with ExitStack() as stack:
        members: dict[str, _Member] = {}
        if options.devices == ADB:
            list_devices(Adb(find_adb()))
        own = host_offer(options.name, measures=options.devices != ADB)
        members[own.key] = _Member(own, options, stack)
        changes = stack.enter_context(_phone_changes(options)) if options.devices != LOCAL else None
        while True:
            if changes is not None and changes():
                _take_phones(members, options, stack)
            for key, member in list(members.items()):
                if not member.look():
                    del members[key]
                    _take_phones(members, options, stack)  # it may have come back meanwhile
            time.sleep(_LOOK_S)


def _take_phones(members: dict[str, _Member], options: HostOptions, stack: ExitStack) -> None:
    """Let phones that came join, and those that went leave; one that is asked what it is answers or is left out."""
    try:
        there = {phone.serial: phone for phone in connected_phones()}
    except UserError:  # adb's server has gone; as it is back, that is told too
        return
    for member in members.values():
        if member.offer.kind == ADB:
            away = member.offer.serial not in there
            member.gone_since = (member.gone_since or time.monotonic()) if away else None
    known = {member.offer.serial for member in members.values()}
    for serial in there.keys() - known:
        try:
            identity = read_identity(Adb(find_adb(), serial))
        except (Lost, KitError):
            continue
        member = _Member(phone_offer(options.name, there[serial], identity), options, stack)
        members[f"{serial} {member.offer.worker}"] = member


@contextmanager
def _phone_changes(options: HostOptions) -> Iterator[Callable[[], bool]]:
    """Yield a function that says whether phones came or went since it was last asked.

    adb tells it by itself: asking again and again would disturb what is measured here.
    """
    try:
        program = find_adb()
    except UserError:
        if options.devices == ADB:
            raise
        yield lambda: False
        return
    news: queue.Queue[None] = queue.Queue()
    news.put(None)
    threading.Thread(target=_follow_adb, args=(program, news), daemon=True).start()

    def changed() -> bool:
        came = not news.empty()
        while not news.empty():
            news.get_nowait()
        return came

    yield changed


def _follow_adb(program: Path, news: queue.Queue[None]) -> None:
    while True:
        with started_child(
            [str(program), "track-devices"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as child:
            while child.stdout is not None and os.read(child.stdout.fileno(), 1 << 16):
                news.put(None)
        news.put(None)  # its server was ended: a new one is started by whoever asks
        time.sleep(_AGAIN_S)
