# SPDX-License-Identifier: Apache-2.0
"""The programs to compare, each exported and verified as the kit's own command does it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model_profiling.console import progress
from model_profiling.export import export_job
from model_profiling.export.artifacts import ArtifactPaths
from model_profiling.export.quiet import quiet
from model_profiling.export.request import ExportRequest
from model_profiling.files import read_json
from model_profiling.models.edgetam_image_encoder.variants import program_of, variant_names


@dataclass(frozen=True)
class ExportedVariant:
    """An exported variant: its name without a size, its file, and what the export wrote about it."""

    name: str
    pte: Path
    sidecar: Mapping[str, Any]


def wanted(dtype: str, forms: bool = True) -> tuple[str, ...]:
    """Return the names to measure in `dtype`, each program once; forms of GELU differ in float16 alone."""
    names = variant_names()
    groups = [names["steps"], *([names["enlarging"]] if forms else []), *([names["gelu"]] if dtype == "fp16" else [])]
    return tuple(dict.fromkeys(program_of(name, dtype) for group in groups for name in group))


def export_all(example: Path, work: Path, size: int, dtype: str, forms: bool) -> dict[str, ExportedVariant]:
    """Export every wanted variant in `dtype` that is not there yet, and return all by name."""
    newest = max(path.stat().st_mtime for path in example.glob("*.py"))
    made = {}
    names = wanted(dtype, forms)
    with progress(f"exporting {dtype}", len(names)) as step:
        for name in names:
            model = f"{name}_{size}"
            paths = ArtifactPaths(work / "programs", model, "xnnpack", dtype)
            fresh = paths.pte.is_file() and paths.sidecar.is_file() and paths.sidecar.stat().st_mtime > newest
            if not fresh:
                request = ExportRequest(model, example / "variants.py", None, dtype, "xnnpack", paths.pte.parent)
                with quiet(False):
                    export_job.export(request, lambda text: None)
            record: Any = read_json(paths.sidecar, "the export's record")
            made[name] = ExportedVariant(name, paths.pte, record)
            step(f"{paths.pte.name}{' (there already)' if fresh else ''}")
    return made
