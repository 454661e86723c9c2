# SPDX-License-Identifier: Apache-2.0
"""What a timed pair claims to compare, held against the CPU that it is about to run on.

A pair that masks features in one program claims what it masks. A pair of source-built runners
claims SME2 when its builds differ in it, as the version file beside each runner says.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from model_profiling.errors import UserError
from model_profiling.files import read_json, sha256
from model_profiling.pipeline.cpu_features import CpuFeatures
from model_profiling.pipeline.runners import Runner

#: The version file beside a source-built runner: its key "variant" holds a name such as android-arm64-sme2-on-timing.
VERSION_FILE = "build.json"
_ON, _OFF = "sme2-on", "sme2-off"


@dataclass(frozen=True)
class BuildPair:
    """The runners of a pair of builds, with SME2 and without."""

    on: Path
    off: Path


def built_with_sme2(runner: Path) -> bool | None:
    """Return whether a runner's version file says that it was built with SME2; None where it does not say."""
    file = runner.with_name(VERSION_FILE)
    if not file.is_file():
        return None
    plain = read_json(file, "runner's version file")
    variant = str(plain.get("variant", "")) if isinstance(plain, dict) else ""
    return True if _ON in variant else False if _OFF in variant else None


def build_pair(runners: Sequence[Runner]) -> BuildPair | None:
    """Return the first pair of builds that differ in SME2 among `runners`; None where there is none.

    Raises
    ------
    UserError : the two are one and the same program.
    """
    paths = [path for path in (getattr(runner, "path", None) for runner in runners) if path]
    on = next((p for p in paths if built_with_sme2(p) is True), None)
    off = next((p for p in paths if built_with_sme2(p) is False), None)
    if on is None or off is None:
        return None
    if sha256(on) == sha256(off):
        raise UserError("the runners with SME2 and without are the same program", f"at {on} and {off}",
                        "build both again: build_runners.sh proves what it builds")
    return BuildPair(on, off)


def check_claim(switched: Iterable[str], features: CpuFeatures, virtual: str) -> None:
    """Refuse to time SME2 where there is none, or only an emulated one.

    Parameters
    ----------
    switched : the features that the pair switches, by masking or by its builds.
    virtual : what shows that the CPU is not real hardware, as in `Device`.

    Raises
    ------
    UserError : SME is among them, and the CPU lacks it or is not real hardware.
    """
    names = [name for name in switched if name.startswith("sme")]
    if not names:
        return
    label = "SME" if names == ["sme"] else "SME2"
    if virtual:
        raise UserError(f"the device is an emulator ({virtual}), whose times say nothing about {label}",
                        "in the experiments of the config", "use a device, or mode \"kernels\", which times nothing")
    if label.lower() not in features.names:
        raise UserError(f"the pair compares {label} on and off, and this CPU ({features.model_name}) has none",
                        "in the experiments of the config", f"use a device whose CPU has {label}")
