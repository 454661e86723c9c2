# SPDX-License-Identifier: Apache-2.0
"""The first process of a test device: makes its file system, starts a real adbd in it, obeys the test.

Runs as root in namespaces of its own (network, mounts, processes; see support/adb.py), so that
nothing of it is seen outside and all of it ends with this process. What it makes up is the
device's root folder: this machine's programs, and below /data, /sys and /standin the test's own
files. Between adb and adbd stands a relay, whose connections can be cut as a network's can.

Commands, a line each on standard input: ``cut`` (end all connections), ``hang`` (pass nothing on
any more), ``kill`` (end adbd; it is started again, as by Android's init), ``reboot`` (end
every process of the device, another boot id), ``off`` and ``on`` (no adbd at all).
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path

ADBD_PORT, RELAY_PORT = 7555, 7556  # beyond those that adb looks for emulators at


def mount(*words: object) -> None:
    subprocess.run(["mount", *map(str, words)], check=True)


def make_root(root: Path, settings: dict) -> None:
    """Build the device's file system below `root`."""
    mount("-t", "tmpfs", "tmpfs", root)
    for folder in (
        "usr/local/bin",
        "bin",
        "proc",
        "dev",
        "etc",
        "tmp",
        "standin",
        "adbd",
        "sys/devices/system",
        "data/local",
    ):
        (root / folder).mkdir(parents=True)
    for folder in ("bin", "sbin", "lib", "lib64", "libexec", "share", *settings["usr_folders"]):
        if (Path("/usr") / folder).is_dir():
            (root / "usr" / folder).mkdir(exist_ok=True)
            mount("--bind", Path("/usr") / folder, root / "usr" / folder)
    for source, target in (
        ("/dev", "dev"),
        ("/etc", "etc"),
        (settings["adbd"], "adbd"),
        (settings["standin"], "standin"),
    ):
        mount("--rbind", source, root / target)
    for file in Path(settings["programs"]).iterdir():
        (root / "usr/local/bin" / file.name).symlink_to(f"/standin/bin/{file.name}")
    for link, target in settings["links"].items():
        (root / link.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
        (root / link.lstrip("/")).symlink_to(target)
    for source, target in settings["binds"].items():
        place = root / target.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()
        mount("--bind", source, place)
    (root / "sys/devices/system/cpu").symlink_to("/standin/cpu")
    mount("-t", "tmpfs", "-o", f"size={settings['data_mib']}m", "tmpfs", root / "data/local")
    (root / "data/local/tmp").mkdir()
    mount("-t", "proc", "proc", root / "proc")
    for file, place in (("boot_id", "proc/sys/kernel/random/boot_id"), ("cpuinfo", "proc/cpuinfo")):
        if (Path(settings["standin"]) / file).is_file():
            mount("--bind", Path(settings["standin"]) / file, root / place)


class Relay:
    """Passes bytes between adb and adbd until told not to."""

    def __init__(self) -> None:
        self._pairs: set[tuple[socket.socket, socket.socket]] = set()
        self.hanging = False
        self._listener = socket.create_server(("127.0.0.1", RELAY_PORT))
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            near, _ = self._listener.accept()
            try:
                far = socket.create_connection(("127.0.0.1", ADBD_PORT), timeout=5)
            except OSError:
                near.close()
                continue
            self._pairs.add((near, far))
            threading.Thread(target=self._pass_on, args=(near, far), daemon=True).start()

    def _pass_on(self, near: socket.socket, far: socket.socket) -> None:
        with near, far, contextlib.suppress(OSError):
            while True:
                for source in select.select([near, far], [], [])[0]:
                    data = source.recv(1 << 16)
                    if not data:
                        return
                    if not self.hanging:
                        (far if source is near else near).sendall(data)

    def cut(self) -> None:
        for pair in list(self._pairs):
            self._pairs.discard(pair)
            for end in pair:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)


class Daemon:
    """adbd, started again whenever it ends."""

    def __init__(self, root: Path, loader: list[str], log: Path) -> None:
        self._argv, self._log = ["chroot", str(root), *loader], log
        self._wanted = True
        self._child: subprocess.Popen | None = None
        threading.Thread(target=self._keep_alive, daemon=True).start()

    def _keep_alive(self) -> None:
        environment = {
            "PATH": "/usr/local/bin:/usr/bin:/usr/sbin",
            "ADBD_PORT": str(ADBD_PORT),
            "HOME": "/data/local/tmp",
            "TMPDIR": "/data/local/tmp",
        }
        while True:
            if self._wanted:
                with open(self._log, "ab") as log:
                    self._child = subprocess.Popen(
                        self._argv,
                        env=environment,
                        stdin=subprocess.DEVNULL,
                        stdout=log,
                        stderr=log,
                        start_new_session=True,
                    )
                self._child.wait()
            time.sleep(0.02)

    def end(self, wanted: bool) -> None:
        self._wanted = wanted
        if self._child:
            self._child.kill()

    def start(self) -> None:
        self._wanted = True


def end_all_processes() -> None:
    for entry in Path("/proc").glob("[0-9]*"):
        if int(entry.name) != os.getpid():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(entry.name), signal.SIGKILL)


def wait_for_adbd() -> None:
    for _ in range(500):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", ADBD_PORT), timeout=1):
            return
        time.sleep(0.02)
    sys.exit("adbd does not listen")


def main() -> None:
    settings = json.loads(Path(sys.argv[1]).read_text())
    root = Path(settings["root"])
    mount("--make-rprivate", "/")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    mount("-t", "proc", "proc", "/proc")
    boot = Path(settings["standin"]) / "boot_id"
    make_root(root, settings)
    daemon, relay = Daemon(root, settings["loader"], Path(settings["log"])), Relay()
    wait_for_adbd()
    print("ready", flush=True)
    for line in sys.stdin:
        command = line.strip()
        if command in ("cut", "hang"):
            relay.hanging = command == "hang"
            if command == "cut":
                relay.cut()
        elif command in ("kill", "off"):
            daemon.end(wanted=command == "kill")
        elif command == "on":
            daemon.start()
        elif command == "reboot":
            boot.write_text(f"{uuid.uuid4()}\n")
            end_all_processes()
        print("done", flush=True)


if __name__ == "__main__":
    main()
