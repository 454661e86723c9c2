# SPDX-License-Identifier: Apache-2.0
"""The programs to compare, each exported by the kit's own command."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from model_profiling.console import progress
from model_profiling.errors import MeasurementError
from model_profiling.export.artifacts import ArtifactPaths
from model_profiling.files import read_json
from model_profiling.models.edgetam_image_encoder.variants import program_of, variant_names
from model_profiling.processes import run_child

_EXPORT_MODEL = Path(__file__).resolve().parents[2] / "model_profiling" / "export" / "export_model.py"
_EXPORT_LIMIT_S = 1800


@dataclass(frozen=True)
class Program:
    """An exported variant: its name without a size, its file, and what the export wrote about it."""

    name: str
    pte: Path
    sidecar: dict


def wanted(dtype: str) -> tuple[str, ...]:
    """Return the names to measure in `dtype`, each program once; forms of GELU differ in float16 alone."""
    names = variant_names()
    groups = [names["steps"], names["enlarging"], *([names["gelu"]] if dtype == "fp16" else [])]
    return tuple(dict.fromkeys(program_of(name, dtype) for group in groups for name in group))


def export_all(example: Path, work: Path, size: int, dtype: str) -> dict[str, Program]:
    """Export every wanted variant in `dtype` that is not there yet, and return all by name."""
    newest = max(path.stat().st_mtime for path in example.glob("*.py"))
    made = {}
    names = wanted(dtype)
    with progress(f"exporting {dtype}", len(names)) as step:
        for name in names:
            paths = ArtifactPaths(work / "programs", f"{name}_{size}", "xnnpack", dtype)
            fresh = paths.pte.is_file() and paths.sidecar.is_file() and paths.sidecar.stat().st_mtime > newest
            if not fresh:
                _export(example, f"{name}_{size}", dtype, paths)
            made[name] = Program(name, paths.pte, read_json(paths.sidecar, "the export's record"))
            step(f"{paths.pte.name}{' (there already)' if fresh else ''}")
    return made


def _export(example: Path, model: str, dtype: str, paths: ArtifactPaths) -> None:
    done = run_child([sys.executable, _EXPORT_MODEL, "--model", model, "--model-file", example / "variants.py",
                      "--dtype", dtype, "--outdir", paths.pte.parent], timeout_s=_EXPORT_LIMIT_S)
    if not done.ok:
        raise MeasurementError(f"exporting {model} in {dtype} {done.outcome()}: {done.output.strip().splitlines()[-1:]}")
