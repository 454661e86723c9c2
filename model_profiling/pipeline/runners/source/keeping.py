# SPDX-License-Identifier: Apache-2.0
"""Proves a finished build and keeps what belongs to it, with its version file."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from model_profiling import __version__
from model_profiling.files import make_folder, sha256, write_json, write_text
from model_profiling.pipeline.elf import read_elf
from model_profiling.pipeline.run_directory import utc_now
from model_profiling.pipeline.runners.source import cmake_cache, recipe
from model_profiling.pipeline.runners.source.job import Job
from model_profiling.pipeline.runners.source.proof import Proof, check, check_switch, kernels_of, read_definitions
from model_profiling.pipeline.runners.source.records import (
    CACHE_FILE,
    KERNELS_FILE,
    VERSION_FILE,
    BuildRecord,
    BuiltRunner,
)
from model_profiling.processes import run_child

_SYMBOLS_TIMEOUT_S = 300.0


def prove(job: Job, cache: dict[str, str]) -> Proof:
    """Return what the build holds.

    Raises
    ------
    UserError : it is not what its variant says; for the native runner also where XNNPACK could read cpuinfo early.
    """
    symbols = _symbols(job, cache, recipe.proven_file(job.variant, job.places))
    proof = Proof(kernels_of(symbols), read_definitions(job.places.build / "compile_commands.json"))
    check(job.variant, proof, job.compiler)
    if job.variant.native:
        runtime = _symbols(job, cache, job.places.build / recipe.RUNTIME_LIBRARY)
        check_switch(job.variant, read_elf(job.places.build / recipe.program_of(job.variant)).needed, symbols, runtime)
    return proof


def _symbols(job: Job, cache: dict[str, str], file: Path) -> str:
    return run_child(
        [cache["CMAKE_NM"].replace("<ndk>", str(job.programs.ndk)), file], timeout_s=_SYMBOLS_TIMEOUT_S
    ).output


def keep(job: Job, proof: Proof, cache: dict[str, str]) -> BuiltRunner:
    """Put the runner and what belongs to it into its folder at once, in place of an older one."""
    folder, stage = job.runner.parent, job.runner.parent.with_name(f".{job.variant.name}.new")
    shutil.rmtree(stage, ignore_errors=True)
    make_folder(stage)
    sums = {}
    for name, file in job.products.items():
        shutil.copy2(file, stage / name)
        sums[name] = sha256(stage / name)
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
        sha256=sums.pop(job.runner.name),
        recipe=job.recipe,
        built=utc_now(),
        kit_version=__version__,
        libraries=sums,
    )
    write_json(stage / VERSION_FILE, record.to_json())
    shutil.rmtree(folder, ignore_errors=True)
    os.rename(stage, folder)
    return BuiltRunner(job.runner, record)
