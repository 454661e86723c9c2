# SPDX-License-Identifier: Apache-2.0
"""What must be pushed so that a runner starts on a device: the program and the libraries that lack there."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from model_profiling.errors import UserError
from model_profiling.pipeline.devices.posix.shell import PosixShell, quote
from model_profiling.pipeline.elf import Elf, read_elf
from model_profiling.pipeline.runners.native_build import NativeBuild

#: The native runner loads these itself, from the folder of its other libraries (runner/libraries.cpp).
_LOADED_LATER = (
    "libexecutorch_backend_xnnpack.so",
    "libexecutorch_kernels_optimized.so",
    "libexecutorch_kernels_quantized.so",
)
#: Where Android's linker and glibc's loader look by themselves.
_SYSTEM_FOLDERS = (
    "/system/lib64",
    "/apex/com.android.runtime/lib64/bionic",
    "/vendor/lib64",
    "/lib64",
    "/usr/lib64",
    "/lib",
    "/usr/lib",
    "/lib/aarch64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/lib/x86_64-linux-gnu",
    "/usr/lib/x86_64-linux-gnu",
)
_LIBCXX = "libc++_shared.so"
#: glibc's loader: a device that has it runs the native runner, Android does not.
_GLIBC_LOADERS = {"x86_64": "/lib64/ld-linux-x86-64.so.2", "aarch64": "/lib/ld-linux-aarch64.so.1"}
_NDK_VARIABLES = ("ANDROID_NDK", "ANDROID_NDK_HOME", "ANDROID_NDK_ROOT", "NDK_ROOT")
_NDK_TRIPLETS = {"aarch64": "aarch64-linux-android", "x86_64": "x86_64-linux-android"}


@dataclass(frozen=True)
class Bundle:
    """A runner's files by the names that they have on the device; `program` is the runner's."""

    program: str
    files: dict[str, Path] = field(hash=False)


def bundle_of(shell: PosixShell, path: Path, machine: str, build: NativeBuild | None = None) -> Bundle:
    """Return what `path` needs on the device, having asked the device for the rest.

    Parameters
    ----------
    machine : the device's architecture, as in `cpu_features`.
    build : given for the native runner, which loads more libraries than it names.

    Raises
    ------
    UserError : it is no program for this device, or a library is neither here nor there.
    Lost : the connection ended first.
    """
    elf = read_elf(path)
    if elf.machine != machine:
        raise UserError(
            f"the runner is built for {elf.machine} and the device is {machine}",
            f"at {path}",
            "build it for the device, or name another device",
        )
    files, missing = _libraries(elf, build)
    if build and build.auditor:
        files[build.auditor.name] = build.auditor
    for name in _lacking(shell, elf, missing):
        raise _lacks(name, path, elf)
    return Bundle(path.name, {path.name: path, **files})


def _libraries(elf: Elf, build: NativeBuild | None) -> tuple[dict[str, Path], list[str]]:
    """Return the libraries found on this host, with all that they need, and the names of the others."""
    folders = [elf.path.resolve().parent, *elf.runpath]
    here: dict[str, Path] = {}
    missing: list[str] = []
    queue = [*elf.needed, *(_LOADED_LATER if build else ())]
    while queue:
        name = queue.pop()
        if name in here or name in missing:
            continue
        path = _find(name, folders, elf.machine)
        if path is not None:
            here[name] = path
            queue += read_elf(path).needed
        elif name not in _LOADED_LATER:
            missing.append(name)
    return here, missing


def _find(name: str, folders: Iterable[Path], machine: str) -> Path | None:
    if not re.fullmatch(r"[\w.+-]+", name):  # a path is none of the runner's own libraries
        return None
    paths = [folder / name for folder in folders]
    if name == _LIBCXX:
        paths += _of_the_ndk(machine)
    return next((path for path in paths if path.is_file() and read_elf(path).machine == machine), None)


def _of_the_ndk(machine: str) -> list[Path]:
    """Return where an NDK keeps the C++ library that its programs are linked with by default."""
    roots = [Path(os.environ[name]) for name in _NDK_VARIABLES if os.environ.get(name)]
    part = f"sysroot/usr/lib/{_NDK_TRIPLETS.get(machine, machine)}/{_LIBCXX}"
    return [path for root in roots for path in sorted(root.glob(f"toolchains/llvm/prebuilt/*/{part}"))]


def _lacking(shell: PosixShell, elf: Elf, names: list[str]) -> list[str]:
    """Return what the device lacks of a program's loader and of the libraries `names`."""
    steps = [f"[ -e {quote(elf.interpreter)} ] || echo lacks:{quote(elf.interpreter)}"] if elf.interpreter else []
    steps += [
        f"({' || '.join(f'[ -e {quote(f)}/{quote(name)} ]' for f in _SYSTEM_FOLDERS)}) || echo lacks:{quote(name)}"
        for name in names
    ]
    return re.findall(r"^lacks:(.+?)\s*$", shell.shell("\n".join(steps)).text, re.MULTILINE) if steps else []


def _lacks(name: str, path: Path, elf: Elf) -> UserError:
    if name == elf.interpreter:
        return UserError(
            f"the runner is built for another system (the device has no {name})",
            f"at {path}",
            "build it for the device's system: for Android, build_runners.sh --android",
        )
    fix = f"put {name} beside it" + (", or set ANDROID_NDK to the NDK that built it" if name == _LIBCXX else "")
    return UserError(f"the runner needs {name}, which is neither on this host nor on the device", f"at {path}", fix)


def has_glibc(shell: PosixShell, machine: str) -> bool:
    """Say whether the device is a Linux system that programs of the usual distributions run on."""
    loader = _GLIBC_LOADERS.get(machine)
    return loader is not None and shell.shell(f"[ -e {loader} ]").ok
