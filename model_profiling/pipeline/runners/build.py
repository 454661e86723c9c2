# SPDX-License-Identifier: Apache-2.0
"""Build the native runner for this host against the installed wheel: seconds, once.

The binary lies under ``sys.prefix``, in a folder named by a digest of all that it was made
from, so another wheel, compiler or version of the sources gets a build of its own and a
checkout stays clean.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from model_profiling import PACKAGE_DIR
from model_profiling.command import CommandParser, run_command
from model_profiling.errors import UserError
from model_profiling.files import make_folder, read_json, sha256, write_json
from model_profiling.pipeline.runners.wheel import Wheel, installed_wheel
from model_profiling.processes import run_child

SOURCES = PACKAGE_DIR / "runner"
BINARY = "sme_runner"
BUILD_RECORD = "build.json"

#: The wheel's CMake package writes $ORIGIN wrongly before this one (its own remark).
LEAST_CMAKE = (3, 28)

_SOURCE_SUFFIXES = (".cpp", ".h", ".def", ".txt")
_COMPILERS = ("c++", "g++", "clang++")
_VERSION_TIMEOUT_S = 30.0
_BUILD_TIMEOUT_S = 600.0
_PYTHON_RUNNER = "or use the python runner, which needs none"


@dataclass(frozen=True)
class NativeBuild:
    """A native runner that is there, and what it was made of."""

    path: Path
    digest: str
    executorch_version: str
    executorch_git_sha: str
    compiler: str


@dataclass(frozen=True)
class Toolchain:
    """What builds: `compiler_version` is the first line the compiler prints about itself."""

    cmake: str
    generator: str
    make_program: str
    compiler: str
    compiler_version: str


def runners_folder() -> Path:
    """Return the folder that holds this environment's runners."""
    return Path(sys.prefix) / "share" / "sme-executorch-profiling" / "runners"


def can_build() -> bool:
    """Say whether the native runner is there or could be built: the tools and a writable place."""
    try:
        find_toolchain()
        installed_wheel()
    except UserError:
        return False
    folder = runners_folder()
    while not folder.exists():
        folder = folder.parent
    return os.access(folder, os.W_OK)


def build_native(jobs: int | None = None) -> NativeBuild:
    """Return the native runner for this host, building it when it is not there.

    Raises
    ------
    UserError : no compiler, cmake or wheel, or the build failed (its log is named).
    """
    wheel, tools = installed_wheel(), find_toolchain()
    target = _target_folder(wheel, tools)
    if existing := _existing(target):
        return existing
    make_folder(target.parent)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".build-") as work:
        stage = Path(work) / "stage"
        _run_build(Path(work), stage, wheel, tools, jobs, target.with_suffix(".log"))
        build = NativeBuild(target / BINARY, target.name.rpartition("-")[2], wheel.version, wheel.git_sha,
                            tools.compiler_version)
        write_json(stage / BUILD_RECORD, {"digest": build.digest, "sha256": sha256(stage / BINARY), "executorch_version": build.executorch_version,
                                          "executorch_git_sha": build.executorch_git_sha, "compiler": build.compiler})
        try:
            if target.is_dir() and not _existing(target):
                shutil.rmtree(target)
            os.rename(stage, target)
        except OSError as error:
            # Another process may have finished the same build first.
            if not (existing := _existing(target)):
                raise UserError(f"cannot keep the runner ({error.strerror})", f"at {target}", "delete that folder") from error
            return existing
    return build


def commands(work: Path, stage: Path, wheel: Wheel, tools: Toolchain, jobs: int | None) -> list[list[str]]:
    """Return the command lines of a build, as `--dry-run` prints them."""
    build = work / "build"
    return [
        [tools.cmake, "-S", str(SOURCES), "-B", str(build), "-G", tools.generator,
         f"-DCMAKE_MAKE_PROGRAM={tools.make_program}", f"-DCMAKE_CXX_COMPILER={tools.compiler}",
         "-DCMAKE_BUILD_TYPE=Release", f"-DCMAKE_PREFIX_PATH={wheel.root}"],
        [tools.cmake, "--build", str(build), "--parallel", str(jobs or os.cpu_count() or 1)],
        # Not `cmake --install`: that would strip the run path to the wheel's libraries.
        [tools.cmake, "-E", "make_directory", str(stage)],
        [tools.cmake, "-E", "copy", str(build / BINARY), str(stage / BINARY)],
    ]


def find_toolchain() -> Toolchain:
    """Return the compiler, cmake and build program to use.

    Raises
    ------
    UserError : the first that is missing, with what to install.
    """
    compiler, version = _find_compiler()
    cmake = _find_cmake()
    for generator, program in (("Ninja", "ninja"), ("Unix Makefiles", "make")):
        if found := _which(program):
            return Toolchain(cmake, generator, found, compiler, version)
    raise UserError("neither ninja nor make is installed", "for the native runner",
                    f"pip install ninja, {_PYTHON_RUNNER}")


def _find_compiler() -> tuple[str, str]:
    for name in filter(None, (os.environ.get("CXX"), *_COMPILERS)):
        path = shutil.which(name)
        if path and (line := _first_line(path, "--version")):  # macOS has stubs that only say "install Xcode"
            return path, line
    raise UserError("no C++ compiler is installed", "for the native runner",
                    f"install one (g++ or clang++), {_PYTHON_RUNNER}")


def _find_cmake() -> str:
    oldest = ""
    for path in filter(None, (_which("cmake"), shutil.which("cmake"))):
        version = re.search(r"(\d+)\.(\d+)", _first_line(path, "--version"))
        if version and (int(version[1]), int(version[2])) >= LEAST_CMAKE:
            return path
        oldest = f"cmake is older than {LEAST_CMAKE[0]}.{LEAST_CMAKE[1]}"
    raise UserError(oldest or "cmake is not installed", "for the native runner",
                    f"{sys.executable} -m pip install 'cmake>=3.28', {_PYTHON_RUNNER}")


def _which(program: str) -> str | None:
    """Find a program, those that pip installed for this Python first, activated or not."""
    beside = Path(sys.prefix) / "bin" / program
    return str(beside) if os.access(beside, os.X_OK) else shutil.which(program)


def _first_line(program: str, flag: str) -> str:
    child = run_child([program, flag], timeout_s=_VERSION_TIMEOUT_S)
    return child.output.splitlines()[0].strip() if child.ok and child.output.strip() else ""


def _target_folder(wheel: Wheel, tools: Toolchain) -> Path:
    digest = hashlib.sha256()
    for part in (wheel.version, wheel.git_sha, str(wheel.root), tools.compiler, tools.compiler_version):
        digest.update(part.encode() + b"\0")
    for source in sorted(p for p in SOURCES.iterdir() if p.suffix in _SOURCE_SUFFIXES):
        digest.update(source.name.encode() + b"\0" + source.read_bytes() + b"\0")
    return runners_folder() / f"native-{digest.hexdigest()[:16]}"


def _existing(target: Path) -> NativeBuild | None:
    if not (os.access(target / BINARY, os.X_OK) and (target / BUILD_RECORD).is_file()):
        return None
    record = read_json(target / BUILD_RECORD, "runner's build record")
    if record.get("sha256") != sha256(target / BINARY):
        return None  # damaged since: it is built anew
    return NativeBuild(target / BINARY, record["digest"], record["executorch_version"],
                       record["executorch_git_sha"], record["compiler"])


def _run_build(work: Path, stage: Path, wheel: Wheel, tools: Toolchain, jobs: int | None, log: Path) -> None:
    log.unlink(missing_ok=True)
    for command in commands(work, stage, wheel, tools, jobs):
        child = run_child(command, timeout_s=_BUILD_TIMEOUT_S, log=log)
        if not child.ok:
            raise UserError(f"building the native runner failed ({Path(command[0]).name} {child.outcome()})",
                            f"in {log}", f"read what the compiler says there, {_PYTHON_RUNNER}")
    log.unlink()


def _built() -> list[NativeBuild]:
    folders = sorted(runners_folder().glob("native-*/")) if runners_folder().is_dir() else []
    return [build for build in map(_existing, folders) if build]


def build_parser() -> CommandParser:
    parser = CommandParser(prog="build_runners.sh", description="Build the runners that execute models.")
    parser.add_argument("--list", action="store_true", help="list the runners that are there and those that can be built")
    parser.add_argument("--native", action="store_true", help="build the native runner for this host (the default)")
    parser.add_argument("--source", nargs="+", metavar="VARIANT", help="build these variants of executor_runner from source")
    parser.add_argument("--android", action="store_true", help="build the Android variants from source")
    parser.add_argument("--executorch-dir", type=Path, metavar="DIR", help="ExecuTorch's sources, instead of a clone")
    parser.add_argument("--dry-run", action="store_true", help="print the commands, run none")
    parser.add_argument("--jobs", type=int, metavar="N", help="parallel compilations (default: one per core)")
    return parser


def main() -> None:
    args = build_parser().parse_args()
    if args.jobs is not None and args.jobs < 1:
        raise UserError(f"--jobs {args.jobs} is no number of jobs", "on the command line", "give 1 or more")
    if args.source or args.android or args.executorch_dir:
        raise UserError("this version of the kit builds no runners from source", "on the command line",
                        "leave --source, --android and --executorch-dir out: the native runner needs no sources")
    if args.list:
        _print_list()
    elif args.dry_run:
        _print_commands(args.jobs)
    else:
        build = build_native(args.jobs)
        print(f"native runner: {build.path}\n  ExecuTorch {build.executorch_version}, {build.compiler}")


def _print_list() -> None:
    builds, current = _built(), None
    if can_build():
        current = _target_folder(installed_wheel(), find_toolchain()) / BINARY
    for build in builds:
        print(f"native   {build.path} (ExecuTorch {build.executorch_version}, {build.compiler})"
              + (", current" if build.path == current else ""))
    if not builds:
        print(f"native   not built yet{'' if can_build() else ', and this host cannot build it'}")
    print("python   nothing to build")


def _print_commands(jobs: int | None) -> None:
    import shlex

    wheel, tools = installed_wheel(), find_toolchain()
    target = _target_folder(wheel, tools)
    for command in commands(target.parent / ".build", target, wheel, tools, jobs):
        print(shlex.join(command))


if __name__ == "__main__":
    run_command(main)
