# SPDX-License-Identifier: Apache-2.0
"""What tests of the Android pipeline break on purpose: connections, and programs in the runner's place."""

from __future__ import annotations

import contextlib
import random
import shutil
import struct
import subprocess
import threading
import time
from collections import Counter
from pathlib import Path

from support.adb import SOURCES, TestDevice


class Breaker:
    """Breaks the connection at random moments, in random ways, while its context lasts; counts them by their names."""

    def __init__(self, device: TestDevice, seed: int) -> None:
        self._device, self._generator = device, random.Random(seed)
        self.broken: Counter[str] = Counter()

    def __enter__(self) -> None:
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._break)
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _break(self) -> None:
        while not self._over.wait(self._generator.uniform(0.05, 1.2)):
            how = self._generator.choice(("cut", "kill", "server"))
            self._device.end_server() if how == "server" else self._device.tell(how)
            self.broken[how] += 1


def wait_for_launches(run: Path, count: int) -> None:
    for _ in range(3000):
        with contextlib.suppress(FileNotFoundError):
            if (run / "launches.jsonl").read_bytes().count(b"\n") >= count:
                return
        time.sleep(0.02)
    raise AssertionError(f"{count} launches were not made")


def with_machine(program: bytes, machine: int) -> bytes:
    """Return an ELF program that says it is for another CPU."""
    return program[:18] + struct.pack("<H", machine) + program[20:]


class Programs:
    """Programs in the place of `executor_runner`, compiled from adb_device/misbehaving_runner.cpp."""

    def __init__(self, folder: Path) -> None:
        source = SOURCES / "misbehaving_runner.cpp"
        self.misbehaving = self._compile(folder / "a b'c" / "executor_runner", source)
        (folder / "library.cpp").write_text('extern "C" int from_the_library() { return 42; }\n')
        self.with_library = folder / "with" / "executor_runner"
        library = self._compile(
            folder / "with" / "libc++_shared.so",
            folder / "library.cpp",
            "-shared",
            "-fPIC",
            "-Wl,-soname,libc++_shared.so",
        )
        self._compile(self.with_library, source, "-DNEEDS_LIBRARY", library)
        self.without_library = folder / "without" / "executor_runner"
        self.without_library.parent.mkdir()
        shutil.copy(self.with_library, self.without_library)
        self.for_android = self._compile(
            folder / "android" / "executor_runner", source, "-Wl,--dynamic-linker=/system/bin/linker64"
        )

    @staticmethod
    def _compile(target: Path, source: Path, *flags: object) -> Path:
        target.parent.mkdir(exist_ok=True)
        subprocess.run(["c++", str(source), *map(str, flags), "-o", str(target)], check=True)
        return target
