# SPDX-License-Identifier: Apache-2.0
"""Builds variants of `executor_runner` one after the other: configure, compare, compile, prove, keep.

Work lies in the user's cache folder, so a build that was stopped goes on where it was, and a
finished variant costs a look at its version file. A runner is kept only once it is proven.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from model_profiling import __version__
from model_profiling.console import say
from model_profiling.errors import UserError
from model_profiling.files import make_folder, sha256, write_json, write_text
from model_profiling.pipeline.devices.emulated.qemu import cache_folder
from model_profiling.pipeline.run_directory import utc_now
from model_profiling.pipeline.runners.native_build import runners_folder
from model_profiling.pipeline.runners.source import checkout, cmake_cache, recipe
from model_profiling.pipeline.runners.source.proof import VERSION as PROOF_VERSION
from model_profiling.pipeline.runners.source.proof import Proof, check, kernels_of, read_definitions
from model_profiling.pipeline.runners.source.records import (
    CACHE_FILE,
    KERNELS_FILE,
    VERSION_FILE,
    BuildRecord,
    BuiltRunner,
    find_built,
    refuse,
)
from model_profiling.pipeline.runners.source.variants import Variant
from model_profiling.pipeline.runners.toolchain import find_build_program, find_cmake, version_line
from model_profiling.pipeline.runners.wheel import installed_wheel
from model_profiling.processes import run_child

_CONFIGURE_TIMEOUT_S = 1800.0
_BUILD_TIMEOUT_S = 4 * 3600.0
_SYMBOLS_TIMEOUT_S = 300.0
_TELL_EVERY_S = 30.0
_STEP = re.compile(rb"\[\s*(\d+)/(\d+)\]")
_TAIL_BYTES = 4096


@dataclass(frozen=True)
class Job:
    """One variant to build, with all that it is made from."""

    variant: Variant
    sources: checkout.Sources
    places: recipe.Places
    programs: recipe.Programs
    compiler: str

    @property
    def command(self) -> list[str]:
        """The command that configures it."""
        return recipe.configure_command(self.variant, self.places, self.programs)

    @property
    def options(self) -> list[str]:
        """CMake's options, the places of this machine replaced by names."""
        return [_named(word, self.names) for word in self.command if word.startswith("-D")]

    @property
    def names(self) -> dict[str, str]:
        """The paths of this machine by the names that stand for them in what is kept."""
        own = {sys.prefix: "<venv>"} if sys.prefix != sys.base_prefix else {}
        names = {
            **own,
            str(self.places.view): "<executorch>",
            str(self.places.build): "<build>",
            str(self.places.kleidiai): "<kleidiai>",
            self.programs.python: "<python>",
            str(Path(self.programs.python).parent): "<python-bin>",
            str(Path.home()): "<home>",
        }
        return {**names, str(self.programs.ndk): "<ndk>"} if self.programs.ndk else names

    @property
    def digest(self) -> str:
        """Digest of options, compiler and sources; sources that git does not know count by their version."""
        parts = (
            *self.options,
            self.compiler,
            self.sources.version,
            *(f"{path}={commit}" for path, commit in sorted(self.sources.commits.items())),
        )
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()

    @property
    def recipe(self) -> str:
        """What a version file has to say for its runner to be what this job would make."""
        return f"{self.digest}-{PROOF_VERSION}"

    @property
    def runner(self) -> Path:
        """Where the finished runner goes."""
        return runner_path(self.variant)


def runner_path(variant: Variant) -> Path:
    """Return where a variant's runner lies, built or not: what ``runner_path`` of a config names."""
    return runners_folder() / variant.name / recipe.TARGET


def work_folder() -> Path:
    """Return the folder of sources and unfinished builds; deleting it costs a new build."""
    return cache_folder() / "source-builds"


def places_of(variant: Variant, kleidiai: Path) -> recipe.Places:
    """Return where a variant is built. The view's folder has to be named executorch: its headers are included so."""
    folder = work_folder() / variant.name
    return recipe.Places(folder / "executorch", folder / "build", kleidiai)


def build(variants: Sequence[Variant], own: Path | None, jobs: int | None) -> list[BuiltRunner]:
    """Return the runners of variants, building those that are not there.

    Parameters
    ----------
    own : the user's ExecuTorch sources; else those that stand in ``executorch`` here or beside
        the kit, else they are cloned, both at the installed wheel's version.

    Raises
    ------
    UserError : something is missing, a build failed, its configuration differs from its
        partner's in more than SME2, or its binary is not what the variant says.
    """
    version = installed_wheel().release
    programs = {variant: _programs(variant) for variant in variants}  # everything missing is said before a long build
    log = make_folder(work_folder()) / "sources.log"
    sources = checkout.obtain(own or checkout.standing(version), work_folder() / "sources", f"v{version}", log)
    if sources.version != version:
        say(f"note: the sources are ExecuTorch {sources.version}; the kit's wheel is {version}")
    return [_one(_job(variant, sources, programs[variant]), jobs) for variant in variants]


def _programs(variant: Variant) -> recipe.Programs:
    ndk = recipe.check_platform(variant)
    if _lacks_torchgen():
        raise UserError(
            "PyTorch is not installed, which generates ExecuTorch's kernel bindings",
            f"in {sys.executable}",
            "run model_profiling/scripts/setup_repo.sh without --without-export",
        )
    generator, program = find_build_program()
    return recipe.Programs(find_cmake(), generator, program, sys.executable, ndk)


def _lacks_torchgen() -> bool:
    from importlib.util import find_spec

    return find_spec("torchgen") is None


def _job(variant: Variant, sources: checkout.Sources, programs: recipe.Programs) -> Job:
    compiler = version_line(recipe.compiler(variant, programs))
    if not compiler:
        raise UserError("no C++ compiler is installed", f"for {variant.name}", "install g++ 10, clang++ 18 or newer")
    return Job(variant, sources, places_of(variant, sources.kleidiai), programs, compiler)


def _one(job: Job, jobs: int | None) -> BuiltRunner:
    name = job.variant.name
    existing = find_built(job.runner)
    if existing and existing.record.recipe == job.recipe:
        say(f"{name}: it is there ({existing.record.sentence()})")
        return existing
    log = job.places.build.parent / "build.log"
    make_folder(log.parent)
    log.unlink(missing_ok=True)
    _drop_other_build(job)
    say(f"{name}: building, which takes minutes; the compiler's words go to {log}")
    checkout.link_view(job.sources.executorch, job.places.view)
    _run(job, job.command, _CONFIGURE_TIMEOUT_S, log)
    cache = _read_cache(job)
    _compare_with_partner(job, cache)
    with _telling(log, name):
        _run(job, recipe.build_command(job.places, job.programs, jobs), _BUILD_TIMEOUT_S, log)
    proof = _prove(job, cache)
    built = _keep(job, proof, cache)
    say(f"{name}: proven, {built.record.sentence()}\n  {built.path}")
    return built


def _drop_other_build(job: Job) -> None:
    """Delete what was built by another recipe: CMake forgets options when a compiler changes under it."""
    note = job.places.build.parent / "recipe"
    if not note.is_file() or note.read_text(encoding="utf-8") != job.digest:
        shutil.rmtree(job.places.build, ignore_errors=True)
        write_text(note, job.digest)


def _run(job: Job, command: list[str], limit_s: float, log: Path) -> None:
    # So that ccache, which ExecuTorch uses where it is installed, knows a file of another variant's folder again.
    ccache = {"CCACHE_BASEDIR": str(job.places.build.parent), "CCACHE_NOHASHDIR": "1"}
    child = run_child(command, timeout_s=limit_s, log=log, env=ccache)
    if not child.ok:
        raise UserError(
            f"building {job.variant.name} failed (cmake {child.outcome()})",
            f"in {log}",
            "read what the compiler says at its end, then run this again: it goes on where it stopped",
        )


def _read_cache(job: Job) -> dict[str, str]:
    """Return the configuration, this machine's paths replaced by names, once its switches stand as they should."""
    file = job.places.build / CACHE_FILE
    entries = cmake_cache.parse_cache(file.read_text(encoding="utf-8"), str(file))
    wrong = cmake_cache.switch_errors(entries, job.variant.sme2)
    if wrong:
        raise UserError(
            f"CMake did not take {wrong[0].name}={wrong[0].other}",
            f"in {file}",
            f"delete {job.places.build} and build again",
        )
    return cmake_cache.without_places(entries, job.names)


def _compare_with_partner(job: Job, cache: dict[str, str]) -> None:
    """Refuse a configuration that differs from its partner's in more than SME2, where that is of the same sources."""
    partner = find_built(runner_path(job.variant.partner))
    if partner is None or (
        partner.record.commits,
        partner.record.compiler,
        partner.record.recipe.rpartition("-")[2],
    ) != (job.sources.commits, job.compiler, str(PROOF_VERSION)):
        return  # it is built anew when it is asked for; a pipeline compares the two before it runs them
    refuse(
        cmake_cache.differences(partner.cache, cache),
        f"between {job.variant.name} and {partner.record.variant}",
        f"unset what differs (CFLAGS, CXXFLAGS, LDFLAGS), or delete {partner.path.parent} and build both",
    )


def _prove(job: Job, cache: dict[str, str]) -> Proof:
    symbols = run_child(
        [cache["CMAKE_NM"].replace("<ndk>", str(job.programs.ndk)), _binary(job)], timeout_s=_SYMBOLS_TIMEOUT_S
    )
    proof = Proof(kernels_of(symbols.output), read_definitions(job.places.build / "compile_commands.json"))
    check(job.variant, proof, job.compiler)
    return proof


def _binary(job: Job) -> Path:
    return job.places.build / recipe.TARGET


def _keep(job: Job, proof: Proof, cache: dict[str, str]) -> BuiltRunner:
    """Put the runner and what belongs to it into its folder at once, in place of an older one."""
    folder, stage = job.runner.parent, job.runner.parent.with_name(f".{job.variant.name}.new")
    shutil.rmtree(stage, ignore_errors=True)
    make_folder(stage)
    shutil.copy2(_binary(job), stage / recipe.TARGET)
    write_text(stage / CACHE_FILE, cmake_cache.cache_text(cache))
    write_text(stage / KERNELS_FILE, "".join(f"{kernel}\n" for kernel in proof.kernels))
    record = BuildRecord(
        variant=job.variant.name,
        platform=job.variant.platform,
        architecture=job.variant.architecture,
        sme2=job.variant.sme2,
        purpose=job.variant.purpose,
        executorch_version=job.sources.version,
        commits=job.sources.commits,
        compiler=job.compiler,
        options=job.options,
        definitions=proof.definitions,
        kernels=len(proof.kernels),
        sme2_kernels=proof.sme2,
        sme_kernels=proof.sme,
        sha256=sha256(stage / recipe.TARGET),
        recipe=job.recipe,
        built=utc_now(),
        kit_version=__version__,
    )
    write_json(stage / VERSION_FILE, record.to_json())
    shutil.rmtree(folder, ignore_errors=True)
    os.rename(stage, folder)
    return BuiltRunner(job.runner, record)


def _named(word: str, names: dict[str, str]) -> str:
    return cmake_cache.without_places({"": word}, names)[""]


@contextmanager
def _telling(log: Path, name: str) -> Iterator[None]:
    """Say now and then how far the build is, by the steps that ninja or make count in the log."""
    done = threading.Event()

    def tell() -> None:
        while not done.wait(_TELL_EVERY_S):
            with open(log, "rb") as file:
                file.seek(max(0, os.fstat(file.fileno()).st_size - _TAIL_BYTES))
                steps = _STEP.findall(file.read())
            if steps:
                say(f"{name}: step {int(steps[-1][0])} of {int(steps[-1][1])}")

    teller = threading.Thread(target=tell, daemon=True)
    teller.start()
    try:
        yield
    finally:
        done.set()
        teller.join()
