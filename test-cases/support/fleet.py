# SPDX-License-Identifier: Apache-2.0
"""Fleets for tests: hosts that are network namespaces of this machine, with a switch between them.

Nothing is seen outside: each host is a namespace that a process of its own holds, and ends with it. What a host runs,
scheduler, worker or sweep, is the kit's own command, started as a user starts it.
"""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from support.adb import _without
from support.kit import KIT, REPOSITORY, Finished

PORT = 8786
WORKER, SWEEP = "scripts/fleet_worker.py", "scripts/sweep.py"


class FleetHost:
    """A host: `address` is its own, in the network of its fleet."""

    def __init__(self, name: str, number: int) -> None:
        self.name, self.address = name, f"10.77.0.{number}"
        self._holder = subprocess.Popen(
            ["unshare", "--net", "--", "sh", "-c", "ip link set lo up && echo ready && exec sleep infinity"],
            stdout=subprocess.PIPE,
            text=True,
        )
        if self._holder.stdout.readline() != "ready\n":
            _without("no network of its own can be had here")
        self.pid = self._holder.pid

    def words(self, *words: object) -> list[str]:
        """Return a command as it is started on this host."""
        return ["nsenter", "--target", str(self.pid), "--net", *map(str, words)]

    def ip(self, *words: object) -> None:
        subprocess.run(self.words("ip", *words), check=True)

    def cut(self, cut: bool = True) -> None:
        """Cut its network, or mend it."""
        self.ip("link", "set", "eth0", "down" if cut else "up")

    def close(self) -> None:
        self._holder.kill()
        self._holder.wait()
        self._holder.stdout.close()


class Command:
    """A command that goes on: what it has said so far is in `log`."""

    def __init__(self, host: FleetHost, log: Path, script: str, *words: object, env: Mapping[str, str] = {}) -> None:
        self.log = log
        with open(log, "ab") as file:
            self._child = subprocess.Popen(
                host.words(sys.executable, KIT / script, *words),
                cwd=REPOSITORY,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                env={**os.environ, "PYTHONUNBUFFERED": "1", **env},
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._child.pid  # nsenter executes the command in its own place

    def said(self) -> str:
        return self.log.read_text()

    def wait_until_said(self, text: str, times: int = 1, timeout_s: float = 120) -> None:
        deadline = time.monotonic() + timeout_s
        while self.said().count(text) < times:
            assert self._child.poll() is None and time.monotonic() < deadline, self.said()
            time.sleep(0.05)

    def wait(self, timeout_s: float = 600) -> int:
        return self._child.wait(timeout_s)

    def running(self) -> bool:
        return self._child.poll() is None

    def kill(self) -> None:
        """Kill it at once, it alone: what it has started has to notice."""
        self._child.kill()
        self._child.wait()

    def end(self) -> None:
        """Tell it to end, as Ctrl-C does, and see to it."""
        if self._child.poll() is None:
            self._child.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._child.wait(20)
        self.kill()


class Fleet:
    """Hosts at one switch; the first is the scheduler's."""

    def __init__(self, folder: Path, names: tuple[str, ...]) -> None:
        if platform.system() != "Linux" or os.geteuid() != 0:
            _without("networks of their own take Linux and root")
        for tool in ("ip", "unshare", "nsenter"):
            if not shutil.which(tool):
                _without(f"{tool} is not installed: run test-cases/install_system_packages.sh")
        self.folder, self._commands = folder, []
        self.hosts = {name: FleetHost(name, number) for number, name in enumerate(names, 1)}
        self.first = self.hosts[names[0]]
        self.first.ip("link", "add", "eth0", "type", "bridge")
        self.first.ip("addr", "add", f"{self.first.address}/24", "dev", "eth0")
        self.first.ip("link", "set", "eth0", "up")
        for number, host in enumerate(self.hosts.values()):
            if host is not self.first:
                port = f"port{number}"
                self.first.ip("link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", host.pid)
                self.first.ip("link", "set", port, "master", "eth0", "up")
                host.ip("addr", "add", f"{host.address}/24", "dev", "eth0")
                host.ip("link", "set", "eth0", "up")
        self.certificates = folder / "certificates"
        made = self.run(self.first, WORKER, "--make-certificates", self.certificates)
        assert made.status == 0, made.stderr

    @property
    def scheduler(self) -> str:
        return f"{self.first.address}:{PORT}"

    def start(self, host: FleetHost, script: str, *words: object, env: Mapping[str, str] = {}) -> Command:
        """Start a command on a host, and end it with the fleet."""
        log = self.folder / f"{host.name}_{len(self._commands)}.log"
        self._commands.append(Command(host, log, script, *words, env=env))
        return self._commands[-1]

    def start_scheduler(self) -> Command:
        words = ("--start-scheduler", self.scheduler, "--certificates", self.certificates)
        started = self.start(self.first, WORKER, *words)
        started.wait_until_said("scheduler at")
        return started

    def start_worker(self, name: str, devices: str, *words: object, env: Mapping[str, str] = {}) -> Command:
        """Start a host's worker; it keeps what it measures in a folder of its own."""
        folder = self.folder / f"{name}_kept"
        own = ("--scheduler", self.scheduler, "--certificates", self.certificates, "--devices", devices)
        return self.start(self.hosts[name], WORKER, *own, "--name", name, "--folder", folder, *words, env=env)

    def sweep_words(self, config: Path, *words: object) -> tuple[object, ...]:
        return (SWEEP, "--config", config, "--scheduler", self.scheduler, "--certificates", self.certificates, *words)

    def run(self, host: FleetHost, script: str, *words: object, timeout_s: float = 600) -> Finished:
        """Run a command on a host to its end."""
        argv = host.words(sys.executable, KIT / script, *words)
        return Finished(subprocess.run(argv, cwd=REPOSITORY, capture_output=True, text=True, timeout=timeout_s))

    def close(self) -> None:
        for command in reversed(self._commands):
            command.end()
        for host in self.hosts.values():
            host.close()


@contextlib.contextmanager
def running_fleet(folder: Path, *names: str) -> Iterator[Fleet]:
    """Make the hosts of these names for as long as the context lasts; the first is the scheduler's."""
    fleet = Fleet(folder, names)
    try:
        yield fleet
    finally:
        fleet.close()
