# SPDX-License-Identifier: Apache-2.0
"""Check the launches that recorded kernels: all there once, and what they left unchanged and nothing beside it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from model_profiling.errors import UserError
from model_profiling.files import sha256
from model_profiling.findings import Finding, error, ok
from model_profiling.pipeline.config import KERNELS, Config
from model_profiling.pipeline.kernel_launches import KernelLaunch, read_kernel_launches, standing
from model_profiling.pipeline.manifest import Manifest
from model_profiling.pipeline.run_directory import RunDirectory

_CHECK = "kernel launches"
_SUFFIXES = (".etdump", ".kernels", ".log")
_AGAIN = "restore it or run the experiment again"


def check_kernel_launches(directory: RunDirectory, manifest: Manifest, config: Config) -> Iterator[Finding]:
    """Yield the findings about `kernel_launches.jsonl` and its files; none of a run without such launches."""
    if not config.recorded and not directory.kernel_launches.is_file():
        return
    try:
        launches = read_kernel_launches(directory)
    except UserError as problem:
        yield error(_CHECK, f"{problem.what}, {problem.where}", problem.fix)
        return
    problems = [
        *_digest(directory, manifest),
        *_plan(manifest, config, launches),
        *_features(manifest, launches),
        *_files(directory, config, launches),
    ]
    yield from problems or [ok(_CHECK, "records of kernels are complete, and those that their launches left")]


def _digest(directory: RunDirectory, manifest: Manifest) -> Iterator[Finding]:
    recorded, path = manifest.kernel_launches_sha256, directory.kernel_launches
    if manifest.finished is not None and recorded != (sha256(path) if path.is_file() else None):
        yield error(_CHECK, f"{path.name} is missing or was edited after the run", _AGAIN)


def _plan(manifest: Manifest, config: Config, launches: Sequence[KernelLaunch]) -> Iterator[Finding]:
    wanted = {(e.name, threads): e.mode for e in config.recorded for threads in e.threads}
    held = standing(launches)
    for name, threads in wanted.keys() - held.keys():
        yield error(_CHECK, f"{name} recorded no kernels at {threads} threads", "run the pipeline again with --resume")
    for key, launch in held.items():
        if wanted.get(key) != launch.mode:
            yield error(
                _CHECK,
                f"a launch of {launch.experiment} ({launch.mode}, {launch.threads} threads) was never planned",
                "restore kernel_launches.jsonl",
            )
    counts = Counter((launch.experiment, launch.threads) for launch in launches if launch.failed is None)
    for (name, threads), count in counts.items():
        if count > 1:
            yield error(
                _CHECK,
                f"a launch of {name} ({threads} threads) is recorded {count} times",
                "restore kernel_launches.jsonl",
            )


def _features(manifest: Manifest, launches: Sequence[KernelLaunch]) -> Iterator[Finding]:
    """An executor_runner masks nothing, so it is right where nothing was to be masked."""
    for launch in standing(launches).values():
        disabled = manifest.disabled.get(launch.experiment, ())
        if sorted(launch.masked_cpu_features) != sorted(disabled) or set(launch.active_cpu_features) & set(disabled):
            yield error(
                _CHECK,
                f"{launch.experiment} ({launch.threads} threads) recorded kernels with other features "
                "switched off than it should",
                "run the experiment again",
            )


def _files(directory: RunDirectory, config: Config, launches: Sequence[KernelLaunch]) -> Iterator[Finding]:
    known: set[str] = set()
    for launch in standing(launches).values():
        known |= launch.files.keys()
        for suffix in (".etdump", ".log", *([".kernels"] if launch.mode == KERNELS else [])):
            path = directory.kernel_raw(launch.experiment, launch.threads, suffix)
            digest = launch.files.get(path.relative_to(directory.root).as_posix())
            if digest is None or not path.is_file():
                yield error(_CHECK, f"{path} is missing", _AGAIN)
            elif sha256(path) != digest:
                yield error(_CHECK, f"{path} is not what its launch left", _AGAIN)
    for experiment in config.recorded:
        for path in sorted((directory.root / experiment.name).glob("*")):
            if path.suffix in _SUFFIXES and path.relative_to(directory.root).as_posix() not in known:
                yield error(_CHECK, f"{path} was left by no launch of this run", "remove it")
