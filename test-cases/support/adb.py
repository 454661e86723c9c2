# SPDX-License-Identifier: Apache-2.0
"""A device for tests: a real adb and a real adbd, with this machine as the device.

adbd is Debian's, of a newer release than most machines run: unpacked beside its own libraries
and started through its own loader. It binds every interface, so it lives in namespaces of its own
(adb_device/init.py); `adb` on the tests' PATH is a script that enters the network one. Only what
Debian lacks of Android is a stand-in: the programs in adb_device/bin, and files below /sys.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from model_profiling.files import cache_folder
from model_profiling.pipeline.devices.emulated import newer_packages
from support.adb_hardware import PLAIN, Hardware
from support.kit import TESTS

SOURCES = TESTS / "adb_device"
#: Through the relay, whose connection the tests cut; and past it, as a second device.
ADDRESS, SECOND_ADDRESS = "127.0.0.1:7556", "127.0.0.1:7555"
_TOOLS = ("adb", "unshare", "nsenter", "ip", "mount", "chroot")
_LIBRARIES = "usr/lib"


def _without(what: str) -> None:
    """Skip a test that lacks something; in CI, where all must be there, fail it."""
    pytest.fail(what) if os.environ.get("CI") else pytest.skip(what)


@functools.cache
def _adbd() -> Path | str:
    """Return the folder of the unpacked adbd, fetched once into the user's cache, or why there is none."""
    kept = cache_folder() / f"adbd-{platform.machine()}"
    if not kept.is_dir():
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept.parent, prefix=".fetch-") as work:
            try:
                unpacked = newer_packages.unpack("adbd", Path(work), with_dependencies=True)
            except newer_packages.Unavailable as problem:
                return f"no adbd can be had ({problem})"
            with contextlib.suppress(FileExistsError):
                os.rename(unpacked, kept)
    return kept


def _require_parts() -> Path:
    if platform.system() != "Linux" or os.geteuid() != 0:
        _without("a device of its own namespaces takes Linux and root")
    for tool in _TOOLS:
        if not shutil.which(tool):
            _without(f"{tool} is not installed: run test-cases/install_system_packages.sh")
    adbd = _adbd()
    return adbd if isinstance(adbd, Path) else _without(adbd)


class TestDevice:
    """A running device, seen from the test."""

    __test__ = False

    def __init__(self, folder: Path, hardware: Hardware, adbd: Path) -> None:
        self.folder, self.standin = folder, folder / "standin"
        self._make_standins(hardware)
        settings = folder / "device.json"
        settings.write_text(json.dumps(self._settings(hardware, adbd)))
        self._init = subprocess.Popen(
            [
                "unshare",
                "--net",
                "--mount",
                "--pid",
                "--fork",
                "--kill-child",
                sys.executable,
                str(SOURCES / "init.py"),
                str(settings),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        if self._init.stdout.readline() != "ready\n":
            self._init.wait()
            _without("no device can be started here: it takes namespaces of its own (unshare) and what init.py mounts")
        self._pid = _only_child(self._init.pid)
        self.environment = {"PATH": f"{self._make_adb()}{os.pathsep}{os.environ['PATH']}"}

    def _make_standins(self, hardware: Hardware) -> None:
        shutil.copytree(SOURCES / "bin", self.standin / "bin")
        for name, text in hardware.scripts.items():
            (self.standin / "bin" / name).write_text(text)
            (self.standin / "bin" / name).chmod(0o755)
        self.write("boot_id", "1f3b7a52-0000-4000-8000-000000000001")
        if hardware.cpuinfo:
            self.write("cpuinfo", hardware.cpuinfo)
        self._hardware = hardware
        self._write_state()

    def _write_state(self) -> None:
        shutil.rmtree(self.standin / "settings", ignore_errors=True)
        self.set_properties(self._hardware.properties)
        self.write("thermal_status", "0")
        self.write("settings/global.low_power", "1")
        for file in ("possible", "present", "online"):
            self.write(f"cpu/{file}", f"0-{len(self._hardware.max_frequency_khz) - 1}")
        for core, frequency in enumerate(self._hardware.max_frequency_khz):
            for file in ("cpuinfo_max_freq", "scaling_max_freq", "scaling_cur_freq"):
                self.write(f"cpu/cpu{core}/cpufreq/{file}", str(frequency))
            self.write(f"cpu/cpu{core}/cpufreq/scaling_governor", "schedutil")
            self.write(f"cpu/cpufreq/policy{core}/scaling_governor", "schedutil")

    def _settings(self, hardware: Hardware, adbd: Path) -> dict:
        (self.folder / "root").mkdir()
        loader = next(p for p in sorted(adbd.rglob("ld-linux-*.so.*")) if p.is_file()).relative_to(adbd)
        libraries = f"/adbd/{loader.parent}:/adbd/{loader.parent}/android"
        return {
            "root": str(self.folder / "root"),
            "adbd": str(adbd),
            "standin": str(self.standin),
            "programs": str(self.standin / "bin"),
            "log": str(self.folder / "adbd.log"),
            "data_mib": hardware.data_mib,
            "links": dict(hardware.links),
            "binds": dict(hardware.binds),
            "usr_folders": list(hardware.usr_folders),
            "loader": [f"/adbd/{loader}", "--library-path", libraries, "/adbd/usr/lib/android-sdk/platform-tools/adbd"],
        }

    def _make_adb(self) -> Path:
        programs, home = self.folder / "host-bin", self.folder / "home"
        programs.mkdir()
        home.mkdir()
        (programs / "adb").write_text(
            f"#!/bin/sh\nexport HOME='{home}' TMPDIR='{home}'\n"
            f'exec nsenter --target {self._pid} --net {shutil.which("adb")} "$@"\n'
        )
        (programs / "adb").chmod(0o755)
        return programs

    @property
    def program(self) -> Path:
        return self.folder / "host-bin" / "adb"

    def reset(self) -> None:
        """Make everything as at the first start; what a test has connected is disconnected."""
        self.tell("on")
        self.adb("disconnect")
        for name in ("refuses_fixed_performance", "fixed_performance", "calls"):
            (self.standin / name).unlink(missing_ok=True)
        self._write_state()
        self.shell("rm -rf /data/local/tmp/*")

    def adb(self, *words: str, check: bool = True) -> str:
        """Run adb as a person would."""
        done = subprocess.run(
            [str(self.program), *words], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def tell(self, command: str) -> None:
        """Have something happen to the device: see init.py."""
        self._init.stdin.write(f"{command}\n")
        self._init.stdin.flush()
        assert self._init.stdout.readline() == "done\n"

    def end_server(self) -> None:
        """Kill the adb server."""
        for pid in self._inhabitants():
            if b"fork-server" in _command_line(pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def write(self, name: str, text: str) -> None:
        file = self.standin / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{text}\n")

    def read(self, name: str) -> str | None:
        file = self.standin / name
        return file.read_text().strip() if file.is_file() else None

    def set_properties(self, properties: Mapping[str, str]) -> None:
        self.write("properties", "\n".join(f"[{key}]: [{value}]" for key, value in properties.items()))

    def settings(self) -> dict[str, str | None]:
        """Return all that a run may change."""
        return {
            name: self.read(name)
            for name in (
                "settings/global.low_power",
                "settings/global.stay_on_while_plugged_in",
                "fixed_performance",
                "cpu/cpufreq/policy0/scaling_governor",
            )
        }

    def shell(self, script: str) -> str:
        """Run a script on the device without adb, so that nothing depends on its connection."""
        done = subprocess.run(
            [
                "nsenter",
                "--target",
                str(self._pid),
                "--mount",
                "--pid",
                "--net",
                "chroot",
                str(self.folder / "root"),
                "/usr/bin/dash",
                "-c",
                script,
            ],
            capture_output=True,
            text=True,
            timeout=60,
        )
        return done.stdout

    def kept(self) -> list[str]:
        """Return what lies in the folder that runs use."""
        return self.shell("ls /data/local/tmp").split()

    def running(self, program: str) -> list[str]:
        """Return the process numbers of a program on the device."""
        return self.shell(
            f"for p in /proc/[0-9]*; do grep -q [{program[0]}]{program[1:]} $p/cmdline && echo $p; done"
        ).split()

    def listed(self) -> list[str]:
        """Return the devices that adb lists, each as serial and state."""
        return [
            " ".join(line.split()) for line in self.adb("devices").splitlines()[1:] if line.strip() and line[0] != "*"
        ]

    def wait_until_listed(self, line: str) -> None:
        for _ in range(500):
            if line in self.listed():
                return
            time.sleep(0.02)
        raise AssertionError(self.listed())

    @contextlib.contextmanager
    def impostor(self, kind: str) -> Iterator[str]:
        """Yield the address of something that only begins to speak adb's protocol: see impostor.py."""
        child = subprocess.Popen(
            ["nsenter", "--target", str(self._pid), "--net", sys.executable, str(SOURCES / "impostor.py"), kind],
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            yield f"127.0.0.1:{int(child.stdout.readline())}"
        finally:
            child.kill()
            child.wait()
            child.stdout.close()
            self.adb("disconnect")

    def close(self) -> None:
        for pid in self._inhabitants():  # the adb server, which is not below the device's first process
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._init.kill()
        self._init.wait()

    def _inhabitants(self) -> list[int]:
        """Return the processes of the device's network that are not its own."""
        network, own = os.readlink(f"/proc/{self._pid}/ns/net"), os.readlink(f"/proc/{self._pid}/ns/pid")
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if os.readlink(entry / "ns" / "net") == network and os.readlink(entry / "ns" / "pid") != own:
                    found.append(int(entry.name))
        return found


def _only_child(parent: int) -> int:
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(entry.read_text().rpartition(")")[2].split()[1]) == parent:
                return int(entry.parent.name)
    raise AssertionError(f"no child of {parent}")


def _command_line(pid: int) -> bytes:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


@contextlib.contextmanager
def running_device(folder: Path, hardware: Hardware = PLAIN) -> Iterator[TestDevice]:
    """Start a device for as long as the context lasts; its adb is on the PATH of `environment`."""
    device = TestDevice(folder, hardware, _require_parts())
    try:
        yield device
    finally:
        device.close()
