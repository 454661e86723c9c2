# SPDX-License-Identifier: Apache-2.0
"""One variant to build: where it is built, with what, and what its finished runner has to say of itself."""

from __future__ import annotations

import hashlib
import sys
from dataclasses import dataclass
from pathlib import Path

from model_profiling.files import cache_folder
from model_profiling.pipeline.runners.native_build import SOURCES, runners_folder, sources_digest
from model_profiling.pipeline.runners.source import checkout, cmake_cache, recipe
from model_profiling.pipeline.runners.source.proof import VERSION as PROOF_VERSION
from model_profiling.pipeline.runners.source.variants import Variant


@dataclass(frozen=True)
class Job:
    """One variant to build, with all that it is made from."""

    variant: Variant
    sources: checkout.Sources
    places: recipe.Places
    programs: recipe.Programs
    compiler: str

    @property
    def command(self) -> list[str]:
        """The command that configures it."""
        return recipe.configure_command(self.variant, self.places, self.programs)

    @property
    def options(self) -> list[str]:
        """CMake's options, the places of this machine replaced by names."""
        return [
            cmake_cache.without_places({"": word}, self.names)[""] for word in self.command if word.startswith("-D")
        ]

    @property
    def names(self) -> dict[str, str]:
        """The paths of this machine by the names that stand for them in what is kept."""
        own = {sys.prefix: "<venv>"} if sys.prefix != sys.base_prefix else {}
        names = {
            **own,
            str(self.places.view): "<executorch>",
            str(self.places.build): "<build>",
            str(self.places.kleidiai): "<kleidiai>",
            str(SOURCES): "<runner>",
            self.programs.python: "<python>",
            str(Path(self.programs.python).parent): "<python-bin>",
            str(Path.home()): "<home>",
        }
        return {**names, str(self.programs.ndk): "<ndk>"} if self.programs.ndk else names

    @property
    def digest(self) -> str:
        """Digest of options, compiler and sources; sources that git does not know count by their version.

        The native runner's own sources count by their contents.
        """
        parts = (
            *self.options,
            self.compiler,
            self.sources.version,
            *(f"{path}={commit}" for path, commit in sorted(self.sources.commits.items())),
            *((sources_digest(),) if self.variant.native else ()),
        )
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()

    @property
    def recipe(self) -> str:
        """What a version file has to say for its runner to be what this job would make."""
        return f"{self.digest}-{PROOF_VERSION}"

    @property
    def products(self) -> dict[str, Path]:
        """What is kept of the build, the program first: names, and where the build leaves each."""
        return recipe.products_of(self.variant, self.places, self.programs)

    @property
    def runner(self) -> Path:
        """Where the finished runner goes."""
        return runner_path(self.variant)


def runner_path(variant: Variant) -> Path:
    """Return where a variant's runner lies, built or not: what ``runner_path`` of a config names."""
    return runners_folder() / variant.name / recipe.program_of(variant)


def work_folder() -> Path:
    """Return the folder of sources and unfinished builds; deleting it costs a new build."""
    return cache_folder() / "source-builds"


def places_of(variant: Variant, kleidiai: Path) -> recipe.Places:
    """Return where a variant is built. The view's folder has to be named executorch: its headers are included so."""
    folder = work_folder() / variant.name
    return recipe.Places(folder / "executorch", folder / "build", kleidiai)
