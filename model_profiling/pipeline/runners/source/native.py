# SPDX-License-Identifier: Apache-2.0
"""The native runner on sources of ExecuTorch, found where `build_runners.sh --source` put it."""

from __future__ import annotations

from pathlib import Path

from model_profiling.errors import UserError
from model_profiling.pipeline.runners.native_build import AUDITOR, NativeBuild, build_at
from model_profiling.pipeline.runners.source.job import runner_path
from model_profiling.pipeline.runners.source.records import BuiltRunner, find_built
from model_profiling.pipeline.runners.source.variants import NATIVE, Variant


def native_of(platform: str) -> NativeBuild | None:
    """Return the native runner that was built from source for a platform; None where there is none."""
    built = find_built(runner_path(Variant(platform, True, NATIVE)))
    return as_native_build(built) if built else None


def native_at(path: Path) -> NativeBuild:
    """Return the native runner at `path`, built from source or on the wheel.

    Raises
    ------
    UserError : nothing beside it says what it is, or it changed since.
    """
    built = find_built(path)
    if built and built.record.purpose == NATIVE:
        return as_native_build(built)
    if on_wheel := build_at(path.parent):
        return on_wheel
    raise UserError(
        f"nothing says how this runner was built, or it changed since: {path.name} takes its libraries beside it",
        f"at {path} (runner_path)",
        f"bash model_profiling/scripts/build_runners.sh --source {path.parent.name}",
    )


def as_native_build(built: BuiltRunner) -> NativeBuild:
    """Return what runs and pushes a native runner, of one that is built from source."""
    record = built.record
    auditor = built.path.with_name(AUDITOR) if AUDITOR in record.libraries else None
    return NativeBuild(
        built.path.resolve(),
        record.recipe,
        record.executorch_version,
        record.commits.get("executorch", ""),
        record.compiler,
        auditor.resolve() if auditor else None,
        record.to_json(),
    )
