# SPDX-License-Identifier: Apache-2.0
"""The version file beside each source-built runner: what it is, from which sources, and what was proven of it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from model_profiling.errors import UserError
from model_profiling.files import sha256
from model_profiling.pipeline.runners.source.cmake_cache import Difference, differences, parse_cache
from model_profiling.pipeline.runners.source.variants import Variant

VERSION_FILE, CACHE_FILE, KERNELS_FILE = "version.json", "CMakeCache.txt", "kernels.txt"
SCHEMA_VERSION = 1


@dataclass(frozen=True)
class BuildRecord:
    """A build. `recipe` is a digest of all that it was made from; `commits` are by submodule path.

    `sme2_kernels` and `sme_kernels` were counted in the binary, `kernels` is all of them. `libraries` are the
    digests of the files that belong to a native runner, by name: for `executor_runner` there are none.
    """

    variant: str
    platform: str
    architecture: str
    sme2: bool
    purpose: str
    executorch_version: str
    commits: dict[str, str]
    compiler: str
    options: list[str]
    definitions: dict[str, str]
    kernels: int
    sme2_kernels: int
    sme_kernels: int
    sha256: str
    recipe: str
    built: str
    kit_version: str
    libraries: dict[str, str] = field(default_factory=dict)
    schema_version: int = SCHEMA_VERSION

    def to_json(self) -> dict[str, object]:
        """Return what the version file holds."""
        value = asdict(self)
        if not self.libraries:
            del value["libraries"]
        return value

    def sentence(self) -> str:
        """Say what was proven: "42 SME2 and 7 SME kernels in the binary"."""
        return f"{self.sme2_kernels} SME2 and {self.sme_kernels} SME kernels among {self.kernels} in the binary"


@dataclass(frozen=True)
class BuiltRunner:
    """A source-built runner that is there and unchanged since."""

    path: Path
    record: BuildRecord

    @property
    def cache(self) -> dict[str, str]:
        """The entries of the CMake cache that it was built with, machine paths replaced by names."""
        file = self.path.parent / CACHE_FILE
        try:
            return parse_cache(file.read_text(encoding="utf-8"), str(file))
        except OSError as error:
            raise UserError(
                f"the runner's CMake cache cannot be read ({error.strerror})",
                f"at {file}",
                f"build it again: build_runners.sh --source {self.record.variant}",
            ) from error


def find_built(runner: Path) -> BuiltRunner | None:
    """Return what the version file beside a runner says; None where there is none or it is of another binary."""
    try:
        value = json.loads((runner.parent / VERSION_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    record = _record(value)
    if record is None:
        return None
    sums = {runner.name: record.sha256, **record.libraries}
    files = [(runner.with_name(name), digest) for name, digest in sums.items()]
    whole = all(file.is_file() and sha256(file) == digest for file, digest in files)
    return BuiltRunner(runner, record) if whole else None


def check_pair(one: BuiltRunner, other: BuiltRunner) -> None:
    """Return if two builds differ in SME2 and SME alone.

    Raises
    ------
    UserError : they differ in something else, or not at all; the first entries are named.
    """
    where = f"between {one.record.variant} and {other.record.variant}"
    fix = f"build both again: build_runners.sh --source {one.record.variant} {other.record.variant}"
    if one.record.sme2 == other.record.sme2:
        raise UserError("both builds have the same side of SME2", where, "compare an sme2-on with an sme2-off variant")
    if one.record.commits != other.record.commits:
        raise UserError("the builds are of different sources", where, fix)
    refuse(differences(one.cache, other.cache), where, fix)


def refuse(differing: tuple[Difference, ...], where: str, fix: str) -> None:
    """Raise the `UserError` that names what differs; return where nothing does."""
    if differing:
        more = f" and {len(differing) - 3} more" if len(differing) > 3 else ""
        raise UserError(
            f"the configurations differ in more than SME2: {'; '.join(map(str, differing[:3]))}{more}", where, fix
        )


def is_pair(variant: Variant, record: BuildRecord) -> bool:
    """Whether a record is of the other side of a variant."""
    return variant.partner is not None and record.variant == variant.partner.name


def _record(value: object) -> BuildRecord | None:
    if not isinstance(value, dict) or value.get("schema_version") != SCHEMA_VERSION:
        return None
    value = {"libraries": {}, **value}
    if value.keys() != {one.name for one in fields(BuildRecord)}:
        return None
    texts = ("variant", "platform", "architecture", "purpose", "executorch_version", "compiler", "sha256", "recipe")
    counts = ("kernels", "sme2_kernels", "sme_kernels")
    if (
        not all(isinstance(value[name], str) for name in texts)
        or not isinstance(value["sme2"], bool)
        or not all(type(value[name]) is int for name in counts)
        or not isinstance(value["commits"], dict)
        or not _are_digests(value["libraries"])
    ):
        return None
    return BuildRecord(**value)


def _are_digests(value: object) -> bool:
    return isinstance(value, dict) and all(
        isinstance(name, str) and "/" not in name and isinstance(digest, str) for name, digest in value.items()
    )
