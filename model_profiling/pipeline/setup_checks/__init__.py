# SPDX-License-Identifier: Apache-2.0
"""What can be wrong with a set-up, one module a kind: each check returns findings, none raises."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from model_profiling.errors import KitError
from model_profiling.findings import ERROR, Finding, error, warning

#: What setup_repo.sh leaves in .venv, and its line that says PyTorch was asked for.
_STAMP, _EXPORT_LINE = "setup.stamp", "with export"


def check_setup(model: Path | None) -> list[Finding]:
    """Run every check, cheapest first; runners are tried only where everything before is well.

    `model` is tried with the runners; without one, a small model is exported for that.
    """
    findings = list(_static_checks(model))
    if any(finding.level == ERROR for finding in findings):
        return [*findings, warning("runners", "not tried", "correct what is wrong above first")]
    return [*findings, *_runner_checks(model)]


def has_export() -> bool:
    """Say whether this set-up was made with PyTorch (setup_repo.sh without --without-export)."""
    from importlib.metadata import PackageNotFoundError, distribution

    stamp = Path(sys.prefix) / _STAMP
    if stamp.is_file() and _EXPORT_LINE in stamp.read_text(encoding="utf-8").splitlines():
        return True
    try:
        distribution("torch")
    except PackageNotFoundError:
        return False
    return True


def _static_checks(model: Path | None) -> Iterator[Finding]:
    from model_profiling.pipeline.setup_checks import imports, launches, packages, prerequisites, structure

    export = has_export()
    yield from prerequisites.check_prerequisites()
    yield from structure.check_structure()
    yield from packages.check_packages(("export",) if export else ("runtime",))
    yield from imports.check_versions(export)
    yield from imports.check_imports(export)
    if model is not None:
        yield from launches.check_model(model)


def _runner_checks(model: Path | None) -> list[Finding]:
    from model_profiling.pipeline.setup_checks import launches

    export = has_export()
    if model is not None:
        return launches.check_runners(model, export)
    if not export:
        return [warning("runners", "not tried: without PyTorch no model can be exported", "name one with --model")]
    try:
        with launches.probe_model() as probe:
            return launches.check_runners(probe, export)
    except KitError as problem:
        return [error("export", str(problem), "run model_profiling/scripts/setup_repo.sh again")]
