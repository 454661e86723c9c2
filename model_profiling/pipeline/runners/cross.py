# SPDX-License-Identifier: Apache-2.0
"""The native runner for aarch64 Linux, cross-built on another host against the Arm wheel.

With QEMU (`devices/emulated.py`) it executes models on CPUs that this host is not.
"""

from __future__ import annotations

import platform
import shutil
from pathlib import Path

from model_profiling.errors import UserError
from model_profiling.pipeline.cpu.layout import normal_architecture
from model_profiling.pipeline.devices.emulated.qemu import arm_wheel
from model_profiling.pipeline.runners.native_build import NativeBuild, Target, build_target
from model_profiling.pipeline.runners.toolchain import Toolchain, find_toolchain, version_line
from model_profiling.processes import run_child

NAME = "linux-arm64"
COMPILER = "aarch64-linux-gnu-g++"

_LOADER = "ld-linux-aarch64.so.1"
_FLAGS = ("-DCMAKE_SYSTEM_NAME=Linux", "-DCMAKE_SYSTEM_PROCESSOR=aarch64")
_ASK_TIMEOUT_S = 30.0
_INSTALL = (
    "install g++-aarch64-linux-gnu (Debian, Ubuntu), or gcc-c++-aarch64-linux-gnu and "
    "sysroot-aarch64-fc<release>-glibc (Fedora)"
)


def can_build() -> bool:
    """Say whether this host is another than Arm and has a cross compiler; the wheel is fetched when building."""
    if platform.system() != "Linux" or normal_architecture(platform.machine()) == "aarch64":
        return False
    try:
        _toolchain()
    except UserError:
        return False
    return True


def build_cross(jobs: int | None = None) -> NativeBuild:
    """Return the runner and the kernel auditor for aarch64 Linux, building them when they are not there.

    Raises
    ------
    UserError : no cross compiler, no Arm wheel to be had, or the build failed.
    """
    tools = _toolchain()
    return build_target(Target(NAME, arm_wheel(), tools, has_auditor=True, flags=_FLAGS), jobs)


def sysroot() -> Path:
    """Return the folder that is the root of the cross compiler's target: its ``lib`` holds the loader.

    Raises
    ------
    UserError : no cross compiler, or one without the target's C library.
    """
    compiler, _ = _cross_compiler()
    child = run_child([compiler, f"-print-file-name={_LOADER}"], timeout_s=_ASK_TIMEOUT_S)
    loader = Path(child.output.strip())
    # A compiler that does not know a file repeats its name.
    if not child.ok or not loader.is_absolute() or not loader.is_file():
        raise UserError(f"{COMPILER} has no C library for aarch64 Linux", f"beside {compiler}", _INSTALL)
    folder = Path(*loader.parts[:-1]).resolve()
    return folder.parent


def _toolchain() -> Toolchain:
    return find_toolchain(_cross_compiler())


def _cross_compiler() -> tuple[str, str]:
    path = shutil.which(COMPILER)
    if path and (line := version_line(path)):
        return path, line
    raise UserError(f"{COMPILER} is not installed", "for the runner on emulated Arm CPUs", _INSTALL)
