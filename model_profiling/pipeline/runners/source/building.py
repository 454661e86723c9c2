# SPDX-License-Identifier: Apache-2.0
"""Builds variants of `executor_runner` one after the other: configure, compare, compile, prove, keep.

Work lies in the user's cache folder, so a build that was stopped goes on where it was, and a
finished variant costs a look at its version file. A runner is kept only once it is proven.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from model_profiling.console import say
from model_profiling.errors import UserError
from model_profiling.files import make_folder, write_text
from model_profiling.pipeline.runners.source import checkout, cmake_cache, recipe
from model_profiling.pipeline.runners.source.job import Job, places_of, runner_path, work_folder
from model_profiling.pipeline.runners.source.keeping import keep, prove
from model_profiling.pipeline.runners.source.proof import VERSION as PROOF_VERSION
from model_profiling.pipeline.runners.source.records import CACHE_FILE, BuiltRunner, find_built, refuse
from model_profiling.pipeline.runners.source.variants import Variant
from model_profiling.pipeline.runners.toolchain import find_build_program, find_cmake, version_line
from model_profiling.pipeline.runners.wheel import installed_wheel
from model_profiling.processes import run_child

_CONFIGURE_TIMEOUT_S = 1800.0
_BUILD_TIMEOUT_S = 4 * 3600.0
_TELL_EVERY_S = 30.0
_STEP = re.compile(rb"\[\s*(\d+)/(\d+)\]")
#: How CMake (whose words follow, indented), compilers and linkers begin what is wrong.
_ERROR = re.compile(r"^CMake Error\b.*(?:\n(?:[ \t].*)?)*|^.*(?:\berror: |undefined reference to ).*", re.MULTILINE)
_QUOTED_CHARACTERS = 200
_TAIL_BYTES = 4096


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
        _run(job, recipe.build_command(job.variant, job.places, job.programs, jobs), _BUILD_TIMEOUT_S, log)
    proof = prove(job, cache)
    built = keep(job, proof, cache)
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
            f"building {job.variant.name} failed (cmake {child.outcome()}{_first_error(log)})",
            f"in {log}",
            "mend what is wrong there, then run this again: it goes on where it stopped",
        )


def _first_error(log: Path) -> str:
    """Return what the first error in a build's log says, in one line; nothing where none is recognised."""
    found = _ERROR.search(log.read_text(encoding="utf-8", errors="replace")) if log.is_file() else None
    said = " ".join(found[0].split()) if found else ""
    return f": {said[:_QUOTED_CHARACTERS]}" if said else ""


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
    other = job.variant.partner
    partner = find_built(runner_path(other)) if other else None
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
