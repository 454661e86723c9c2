# SPDX-License-Identifier: Apache-2.0
"""Exporting models in tests with the real command, so that several test modules can share the results."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from model_profiling.export import export_job
from model_profiling.export.artifacts import ArtifactPaths
from model_profiling.export.request import ExportRequest
from support import warm
from support.kit import KIT
from support.shared import alone

EXPORT_MODEL = KIT / "export" / "export_model.py"
KIT_MODELS = ("toy_cnn", "toy_transformer", "mobilenet_v3_small")
#: The dtypes that every kit model is exported in; those of language models have their own, smaller ones.
DTYPES = ("fp32", "fp16", "int8")
EXPORT_TIMEOUT_S = 300  # MobileNetV3-Small in int8 takes 24 s on two quiet cores


@dataclass(frozen=True)
class ExportRun:
    """One successful run of the export command: what it printed, and the files it left."""

    stdout: str
    stderr: str
    paths: ArtifactPaths

    @property
    def pte(self) -> Path:
        return self.paths.pte

    @property
    def etrecord(self) -> Path:
        return self.paths.etrecord

    @property
    def sidecar(self) -> dict:
        return json.loads(self.paths.sidecar.read_text(encoding="utf-8"))


def run_command(
    *arguments: str | os.PathLike[str],
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    python: str = sys.executable,
) -> subprocess.CompletedProcess[str]:
    """Run ``export_model.py`` as a user would; nothing is raised for a failing one."""
    argv = [python, str(EXPORT_MODEL), *map(os.fspath, arguments)]
    return warm.run(argv, cwd or Path.cwd(), {**os.environ, **(env or {})}, EXPORT_TIMEOUT_S)


def export(model: str, dtype: str, outdir: Path, *arguments: str) -> ExportRun:
    """Export `model` in `dtype` into `outdir`; fail the test that asked where the command fails."""
    run = run_command("--model", model, "--dtype", dtype, "--outdir", outdir, *arguments)
    assert run.returncode == 0, (
        f"exporting {model} in {dtype} exited with {run.returncode}:\n{run.stdout}\n{run.stderr}"
    )
    return ExportRun(run.stdout, run.stderr, ArtifactPaths(outdir, model, "xnnpack", dtype))


def write_model(folder: Path, body: str, name: str = "mine.py") -> Path:
    """Write a model file as a user would; `body` begins at its third line."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text("import torch\nfrom torch import nn\n" + body, encoding="utf-8")
    return path


def export_here(outdir: Path, **request) -> export_job.ExportResult:
    """Export in this process: the same job as the command's, without its 5 s of imports each time."""
    defaults = {"model": None, "model_file": None, "weights": None, "dtype": "fp32", "backend": "xnnpack"}
    return export_job.export(ExportRequest(**{**defaults, "outdir": outdir, **request}), lambda text: None)


class SharedExports:
    """Kit models exported by the real command, each once in a test session and when first asked for."""

    def __init__(self, outdir: Path) -> None:
        self._outdir = outdir

    def __getitem__(self, wanted: tuple[str, str]) -> ExportRun:
        said = self._outdir / f"{'_'.join(wanted)}.said"
        with alone(self._outdir, said.stem):
            if not said.is_file():
                run = export(*wanted, self._outdir)
                said.write_text(json.dumps([run.stdout, run.stderr]), encoding="utf-8")
        return ExportRun(
            *json.loads(said.read_text(encoding="utf-8")), ArtifactPaths(self._outdir, wanted[0], "xnnpack", wanted[1])
        )

    def fetch(self, wanted: Iterable[tuple[str, str]]) -> SharedExports:
        """Export all of `wanted`, as many at once as there are processors (two at most)."""
        with ThreadPoolExecutor(min(2, os.cpu_count() or 1)) as pool:
            list(pool.map(self.__getitem__, wanted))
        return self
