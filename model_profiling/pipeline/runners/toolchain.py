# SPDX-License-Identifier: Apache-2.0
"""The programs that build runners: CMake, a build program, a compiler."""

from __future__ import annotations

import os
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from model_profiling.errors import UserError
from model_profiling.processes import run_child

#: The wheel's CMake package writes $ORIGIN wrongly before this one (its own remark).
LEAST_CMAKE = (3, 28)

_COMPILERS = ("c++", "g++", "clang++")
_VERSION_TIMEOUT_S = 30.0
PYTHON_RUNNER = "or use the python runner, which needs none"


@dataclass(frozen=True)
class Toolchain:
    """What builds: `compiler_version` is the first line the compiler prints about itself."""

    cmake: str
    generator: str
    make_program: str
    compiler: str
    compiler_version: str


def find_toolchain(compiler: tuple[str, str] | None = None) -> Toolchain:
    """Return the compiler, cmake and build program to use.

    Parameters
    ----------
    compiler : a compiler and its version line, instead of one for this host.

    Raises
    ------
    UserError : the first that is missing, with what to install.
    """
    path, version = compiler or _find_compiler()
    generator, program = find_build_program()
    return Toolchain(find_cmake(), generator, program, path, version)


def find_build_program() -> tuple[str, str]:
    """Return CMake's name of the generator and the path of its program; UserError where there is none."""
    for generator, program in (("Ninja", "ninja"), ("Unix Makefiles", "make")):
        if path := which(program):
            return generator, path
    raise UserError(
        "neither ninja nor make is installed", "for building runners", f"pip install ninja, {PYTHON_RUNNER}"
    )


def _find_compiler() -> tuple[str, str]:
    for name in filter(None, (os.environ.get("CXX"), *_COMPILERS)):
        path = shutil.which(name)
        if path and (line := version_line(path)):  # macOS has stubs that only say "install Xcode"
            return path, line
    raise UserError(
        "no C++ compiler is installed", "for the native runner", f"install one (g++ or clang++), {PYTHON_RUNNER}"
    )


def find_cmake() -> str:
    """Return a CMake that is new enough; UserError where there is none."""
    oldest = ""
    for path in filter(None, (which("cmake"), shutil.which("cmake"))):
        version = re.search(r"(\d+)\.(\d+)", version_line(path))
        if version and (int(version[1]), int(version[2])) >= LEAST_CMAKE:
            return path
        oldest = f"cmake is older than {LEAST_CMAKE[0]}.{LEAST_CMAKE[1]}"
    raise UserError(
        oldest or "cmake is not installed",
        "for building runners",
        f"{sys.executable} -m pip install 'cmake>=3.28', {PYTHON_RUNNER}",
    )


def which(program: str) -> str | None:
    """Find a program, those that pip installed for this Python first, activated or not."""
    beside = Path(sys.prefix) / "bin" / program
    return str(beside) if os.access(beside, os.X_OK) else shutil.which(program)


def version_line(program: str) -> str:
    """Return the first line that a program prints about itself, "" where it prints none."""
    child = run_child([program, "--version"], timeout_s=_VERSION_TIMEOUT_S)
    return child.output.splitlines()[0].strip() if child.ok and child.output.strip() else ""
