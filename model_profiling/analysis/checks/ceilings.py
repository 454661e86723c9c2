# SPDX-License-Identifier: Apache-2.0
"""Check the ceilings of a run: the file is the one that the manifest knows."""

from __future__ import annotations

from collections.abc import Iterator

from model_profiling.analysis.checks.recorded_run import Run
from model_profiling.files import sha256
from model_profiling.findings import Finding, error


def check_ceilings(run: Run) -> Iterator[Finding]:
    """Yield where ceilings.json is not what the run began with."""
    kept, path = run.manifest.ceilings, run.directory.ceilings
    if kept is None:
        if path.is_file():
            yield error("ceilings", f"{path.name} is there, and the manifest knows of none", "remove it")
    elif not path.is_file() or sha256(path) != kept.sha256:
        yield error("ceilings", f"{path.name} is not what the run began with", "restore it or run the experiment again")
