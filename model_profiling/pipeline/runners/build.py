# SPDX-License-Identifier: Apache-2.0
"""Build the native runner against ExecuTorch's wheel, for this host or another: seconds, once.

The binary lies under ``sys.prefix``, in a folder named by a digest of all that it was made
from, so another wheel, compiler or version of the sources gets a build of its own and a
checkout stays clean.
"""

from __future__ import annotations

import hashlib
import os
import platform
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
from model_profiling.pipeline.cpu_layout import normal_architecture
from model_profiling.pipeline.runners.wheel import Wheel, installed_wheel
from model_profiling.processes import run_child

SOURCES = PACKAGE_DIR / "runner"
BINARY = "sme_runner"
#: Built beside the runner for Arm Linux alone: see runner/README.md.
AUDITOR = "libsme_kernel_auditor.so"
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
    auditor: Path | None = None


@dataclass(frozen=True)
class Toolchain:
    """What builds: `compiler_version` is the first line the compiler prints about itself."""

    cmake: str
    generator: str
    make_program: str
    compiler: str
    compiler_version: str


@dataclass(frozen=True)
class Target:
    """What a build is for: `name` begins its folder's, `flags` tell CMake of a foreign system."""

    name: str
    wheel: Wheel
    tools: Toolchain
    has_auditor: bool
    flags: tuple[str, ...] = ()

    @property
    def products(self) -> tuple[str, ...]:
        return (BINARY, AUDITOR) if self.has_auditor else (BINARY,)


def native_target() -> Target:
    """Return the target that is this host; raises as `find_toolchain` and `installed_wheel`."""
    on_arm_linux = platform.system() == "Linux" and normal_architecture(platform.machine()) == "aarch64"
    return Target("native", installed_wheel(), find_toolchain(), has_auditor=on_arm_linux)


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
    return build_target(native_target(), jobs)


def build_target(target: Target, jobs: int | None = None) -> NativeBuild:
    """Return the runner for `target`, building it when it is not there; raises as `build_native`."""
    folder = _folder(target)
    if existing := _existing(folder):
        return existing
    make_folder(folder.parent)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".build-") as work:
        stage = Path(work) / "stage"
        _run_build(Path(work), stage, target, jobs, folder.with_suffix(".log"))
        write_json(stage / BUILD_RECORD, {
            "digest": folder.name.rpartition("-")[2],
            "sha256": {product: sha256(stage / product) for product in target.products},
            "executorch_version": target.wheel.version, "executorch_git_sha": target.wheel.git_sha,
            "compiler": target.tools.compiler_version})
        try:
            if folder.is_dir() and not _existing(folder):
                shutil.rmtree(folder)
            os.rename(stage, folder)
        except OSError as error:
            # Another process may have finished the same build first.
            if not _existing(folder):
                raise UserError(f"cannot keep the runner ({error.strerror})", f"at {folder}", "delete that folder") from error
    return _existing(folder)


def commands(work: Path, stage: Path, target: Target, jobs: int | None) -> list[list[str]]:
    """Return the command lines of a build, as `--dry-run` prints them."""
    build, tools = work / "build", target.tools
    return [
        [tools.cmake, "-S", str(SOURCES), "-B", str(build), "-G", tools.generator,
         f"-DCMAKE_MAKE_PROGRAM={tools.make_program}", f"-DCMAKE_CXX_COMPILER={tools.compiler}",
         "-DCMAKE_BUILD_TYPE=Release", f"-DCMAKE_PREFIX_PATH={target.wheel.root}", *target.flags],
        [tools.cmake, "--build", str(build), "--parallel", str(jobs or os.cpu_count() or 1)],
        # Not `cmake --install`: that would strip the run path to the wheel's libraries.
        [tools.cmake, "-E", "make_directory", str(stage)],
        *([tools.cmake, "-E", "copy", str(build / name), str(stage / name)] for name in target.products),
    ]


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
    cmake = _find_cmake()
    for generator, program in (("Ninja", "ninja"), ("Unix Makefiles", "make")):
        if found := _which(program):
            return Toolchain(cmake, generator, found, path, version)
    raise UserError("neither ninja nor make is installed", "for the native runner",
                    f"pip install ninja, {_PYTHON_RUNNER}")


def _find_compiler() -> tuple[str, str]:
    for name in filter(None, (os.environ.get("CXX"), *_COMPILERS)):
        path = shutil.which(name)
        if path and (line := version_line(path)):  # macOS has stubs that only say "install Xcode"
            return path, line
    raise UserError("no C++ compiler is installed", "for the native runner",
                    f"install one (g++ or clang++), {_PYTHON_RUNNER}")


def _find_cmake() -> str:
    oldest = ""
    for path in filter(None, (_which("cmake"), shutil.which("cmake"))):
        version = re.search(r"(\d+)\.(\d+)", version_line(path))
        if version and (int(version[1]), int(version[2])) >= LEAST_CMAKE:
            return path
        oldest = f"cmake is older than {LEAST_CMAKE[0]}.{LEAST_CMAKE[1]}"
    raise UserError(oldest or "cmake is not installed", "for the native runner",
                    f"{sys.executable} -m pip install 'cmake>=3.28', {_PYTHON_RUNNER}")


def _which(program: str) -> str | None:
    """Find a program, those that pip installed for this Python first, activated or not."""
    beside = Path(sys.prefix) / "bin" / program
    return str(beside) if os.access(beside, os.X_OK) else shutil.which(program)


def version_line(program: str) -> str:
    """Return the first line that a program prints about itself, "" where it prints none."""
    child = run_child([program, "--version"], timeout_s=_VERSION_TIMEOUT_S)
    return child.output.splitlines()[0].strip() if child.ok and child.output.strip() else ""


def _folder(target: Target) -> Path:
    digest, wheel, tools = hashlib.sha256(), target.wheel, target.tools
    for part in (wheel.version, wheel.git_sha, str(wheel.root), tools.compiler, tools.compiler_version, *target.flags):
        digest.update(part.encode() + b"\0")
    for source in sorted(p for p in SOURCES.rglob("*") if p.suffix in _SOURCE_SUFFIXES):
        digest.update(source.relative_to(SOURCES).as_posix().encode() + b"\0" + source.read_bytes() + b"\0")
    return runners_folder() / f"{target.name}-{digest.hexdigest()[:16]}"


def _existing(folder: Path) -> NativeBuild | None:
    if not (os.access(folder / BINARY, os.X_OK) and (folder / BUILD_RECORD).is_file()):
        return None
    record = read_json(folder / BUILD_RECORD, "runner's build record")
    sums = record.get("sha256")
    if not isinstance(sums, dict) or any(not (folder / name).is_file() or sha256(folder / name) != known
                                         for name, known in sums.items()):
        return None  # damaged since, or of an older kit: it is built anew
    return NativeBuild(folder / BINARY, record["digest"], record["executorch_version"], record["executorch_git_sha"],
                       record["compiler"], folder / AUDITOR if AUDITOR in sums else None)


def _run_build(work: Path, stage: Path, target: Target, jobs: int | None, log: Path) -> None:
    log.unlink(missing_ok=True)
    for command in commands(work, stage, target, jobs):
        child = run_child(command, timeout_s=_BUILD_TIMEOUT_S, log=log)
        if not child.ok:
            raise UserError(f"building the {target.name} runner failed ({Path(command[0]).name} {child.outcome()})",
                            f"in {log}", f"read what the compiler says there, {_PYTHON_RUNNER}")
    log.unlink()


def _built(name: str) -> list[NativeBuild]:
    folders = sorted(runners_folder().glob(f"{name}-*/")) if runners_folder().is_dir() else []
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
        _show("native", build_native(args.jobs))
        if not args.native:
            _build_for_arm(args.jobs)


def _show(name: str, build: NativeBuild) -> None:
    print(f"{name} runner: {build.path}\n  ExecuTorch {build.executorch_version}, {build.compiler}")
    if build.auditor:
        print(f"  with the kernel auditor: {build.auditor}")


def _build_for_arm(jobs: int | None) -> None:
    """Build the runner for Arm Linux too where a cross compiler is there; the native one is done already."""
    from model_profiling.pipeline.runners import cross

    if not cross.can_build():
        return
    try:
        _show(cross.NAME, cross.build_cross(jobs))
    except UserError as error:
        print(f"note: no {cross.NAME} runner: {error}", file=sys.stderr)


def _print_list() -> None:
    from model_profiling.pipeline.runners import cross

    current = _folder(native_target()) / BINARY if can_build() else None
    for name, possible in (("native", can_build()), (cross.NAME, cross.can_build())):
        builds = _built(name)
        for build in builds:
            print(f"{name:<12} {build.path} (ExecuTorch {build.executorch_version}, {build.compiler})"
                  + (", with the kernel auditor" if build.auditor else "") + (", current" if build.path == current else ""))
        if not builds:
            print(f"{name:<12} not built yet{'' if possible else ', and this host cannot build it'}")
    print(f"{'python':<12} nothing to build")


def _print_commands(jobs: int | None) -> None:
    import shlex

    target = native_target()
    folder = _folder(target)
    for command in commands(folder.parent / ".build", folder, target, jobs):
        print(shlex.join(command))


if __name__ == "__main__":
    run_command(main)
