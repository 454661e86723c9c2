# SPDX-License-Identifier: Apache-2.0
"""A run directory read once: what every check looks at."""

from __future__ import annotations

from dataclasses import dataclass

from model_profiling.pipeline.config import Config
from model_profiling.pipeline.manifest import Manifest
from model_profiling.pipeline.run_directory import Launch, RunDirectory


@dataclass(frozen=True)
class Run:
    """A run directory read once: what every check looks at."""

    directory: RunDirectory
    manifest: Manifest
    config: Config
    launches: tuple[Launch, ...]

    @property
    def model_id(self) -> str:
        return self.manifest.model.id


def read_run(directory: RunDirectory) -> Run:
    """Read the manifest and the launches.

    Raises
    ------
    UserError : either is missing, edited or unreadable; nothing else can be checked then.
    """
    manifest = directory.read_manifest()
    return Run(directory, manifest, manifest.config, tuple(directory.read_launches()))
