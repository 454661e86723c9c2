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
import shutil
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from model_profiling import PACKAGE_DIR
from model_profiling.errors import UserError
from model_profiling.files import make_folder, read_json, sha256, write_json
from model_profiling.pipeline.cpu.layout import normal_architecture
from model_profiling.pipeline.runners.toolchain import PYTHON_RUNNER, Toolchain, find_toolchain
from model_profiling.pipeline.runners.wheel import Wheel, installed_wheel
from model_profiling.processes import run_child

SOURCES = PACKAGE_DIR / "runner"
BINARY = "sme_runner"
#: Built beside the runner for Arm Linux alone: see runner/README.md.
AUDITOR = "libsme_kernel_auditor.so"
BUILD_RECORD = "build.json"

_SOURCE_SUFFIXES = (".cpp", ".h", ".def", ".txt")
_BUILD_TIMEOUT_S = 600.0


@dataclass(frozen=True)
class NativeBuild:
    """A native runner that is there, and what it was made of; `record` is the version file of one built from source."""

    path: Path
    digest: str
    executorch_version: str
    executorch_git_sha: str
    compiler: str
    auditor: Path | None = None
    record: Mapping[str, object] | None = field(default=None, hash=False)


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
    if existing := build_at(folder):
        return existing
    make_folder(folder.parent)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".build-") as work:
        stage = Path(work) / "stage"
        _run_build(Path(work), stage, target, jobs, folder.with_suffix(".log"))
        write_json(
            stage / BUILD_RECORD,
            {
                "digest": folder.name.rpartition("-")[2],
                "sha256": {product: sha256(stage / product) for product in target.products},
                "executorch_version": target.wheel.version,
                "executorch_git_sha": target.wheel.git_sha,
                "compiler": target.tools.compiler_version,
            },
        )
        try:
            if folder.is_dir() and not build_at(folder):
                shutil.rmtree(folder)
            os.rename(stage, folder)
        except OSError as error:
            # Another process may have finished the same build first.
            if not build_at(folder):
                raise UserError(
                    f"cannot keep the runner ({error.strerror})", f"at {folder}", "delete that folder"
                ) from error
    built = build_at(folder)
    if built is None:
        raise UserError("the runner that was just built is damaged", f"at {folder}", "build it again")
    return built


def built(name: str) -> list[NativeBuild]:
    """Return the builds for a target's name that are there, whatever wheel or compiler they are of."""
    folders = sorted(runners_folder().glob(f"{name}-*/")) if runners_folder().is_dir() else []
    return [build for build in map(build_at, folders) if build]


def build_at(folder: Path) -> NativeBuild | None:
    """Return the runner that was built into a folder; None where there is none, or one that changed since."""
    if not (os.access(folder / BINARY, os.X_OK) and (folder / BUILD_RECORD).is_file()):
        return None
    record: Any = read_json(folder / BUILD_RECORD, "runner's build record")
    sums = record.get("sha256")
    if not isinstance(sums, dict) or any(
        not (folder / name).is_file() or sha256(folder / name) != known for name, known in sums.items()
    ):
        return None  # damaged since, or of an older kit: it is built anew
    return NativeBuild(
        folder / BINARY,
        record["digest"],
        record["executorch_version"],
        record["executorch_git_sha"],
        record["compiler"],
        folder / AUDITOR if AUDITOR in sums else None,
    )


def native_folder() -> Path:
    """Return where the native runner for this host goes; raises as `native_target`."""
    return _folder(native_target())


def commands(work: Path, stage: Path, target: Target, jobs: int | None) -> list[list[str]]:
    """Return the command lines of a build, as `--dry-run` prints them."""
    build, tools = work / "build", target.tools
    return [
        [
            tools.cmake,
            "-S",
            str(SOURCES),
            "-B",
            str(build),
            "-G",
            tools.generator,
            f"-DCMAKE_MAKE_PROGRAM={tools.make_program}",
            f"-DCMAKE_CXX_COMPILER={tools.compiler}",
            "-DCMAKE_BUILD_TYPE=Release",
            f"-DCMAKE_PREFIX_PATH={target.wheel.root}",
            *target.flags,
        ],
        [tools.cmake, "--build", str(build), "--parallel", str(jobs or os.cpu_count() or 1)],
        # Not `cmake --install`: that would strip the run path to the wheel's libraries.
        [tools.cmake, "-E", "make_directory", str(stage)],
        *([tools.cmake, "-E", "copy", str(build / name), str(stage / name)] for name in target.products),
    ]


def sources_digest() -> str:
    """Return a digest of the runner's own sources."""
    digest = hashlib.sha256()
    for source in sorted(p for p in SOURCES.rglob("*") if p.suffix in _SOURCE_SUFFIXES):
        digest.update(source.relative_to(SOURCES).as_posix().encode() + b"\0" + source.read_bytes() + b"\0")
    return digest.hexdigest()


def _folder(target: Target) -> Path:
    digest, wheel, tools = hashlib.sha256(), target.wheel, target.tools
    for part in (wheel.version, wheel.git_sha, str(wheel.root), tools.compiler, tools.compiler_version, *target.flags):
        digest.update(part.encode() + b"\0")
    digest.update(sources_digest().encode())
    return runners_folder() / f"{target.name}-{digest.hexdigest()[:16]}"


def _run_build(work: Path, stage: Path, target: Target, jobs: int | None, log: Path) -> None:
    log.unlink(missing_ok=True)
    for command in commands(work, stage, target, jobs):
        child = run_child(command, timeout_s=_BUILD_TIMEOUT_S, log=log)
        if not child.ok:
            raise UserError(
                f"building the {target.name} runner failed ({Path(command[0]).name} {child.outcome()})",
                f"in {log}",
                f"read what the compiler says there, {PYTHON_RUNNER}",
            )
    log.unlink()
