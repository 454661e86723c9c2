# SPDX-License-Identifier: Apache-2.0
"""What two source-built runners of one comparison differ in: SME2 alone, or the comparison is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from model_profiling.errors import UserError
from model_profiling.pipeline.cpu.features import CpuFeatures
from model_profiling.pipeline.manifest import SwitchedFeature
from model_profiling.pipeline.runners.source.records import BuiltRunner, check_pair, find_built

#: What a report calls the feature that the variants switch.
_LABEL = "SME2"


def switched_by_builds(
    compare_pairs: Sequence[tuple[str, str]], runners: Mapping[str, Path], cpu: CpuFeatures
) -> SwitchedFeature | None:
    """Return the manifest's `feature` for comparisons of two builds; None where no comparison is one.

    Parameters
    ----------
    compare_pairs : baseline and candidate, by experiment.
    runners : the source-built runner of each experiment that names one.

    Raises
    ------
    UserError : two builds that differ in more than SME2, in nothing, or of which only one
        says what it is; or builds for a CPU of another kind.
    """
    off: dict[str, None] = {}
    for pair in compare_pairs:
        if pair[0] in runners and pair[1] in runners and runners[pair[0]] != runners[pair[1]]:
            sides = [find_built(runners[name]) for name in pair]
            if any(sides):
                built = _built(pair, sides, runners, cpu)
                check_pair(*built)
                off.update(dict.fromkeys(name for name, side in zip(pair, built, strict=True) if not side.record.sme2))
    if not off:
        return None
    if cpu.architecture != "aarch64":
        said = f"XNNPACK has no SME2 kernels for {cpu.architecture}: both builds run the same kernels."
        return SwitchedFeature(None, (), None, said)
    said = f"SME2 and SME are left out of the runner of {', '.join(off)}: the builds differ in nothing else."
    return SwitchedFeature(_LABEL, (), None, said, tuple(off))


def _built(
    pair: tuple[str, str], sides: Sequence[BuiltRunner | None], runners: Mapping[str, Path], cpu: CpuFeatures
) -> list[BuiltRunner]:
    """Return both sides, each of which says what it is and is for this CPU."""
    built = []
    for name, side in zip(pair, sides, strict=True):
        if side is None:
            raise UserError(
                "nothing says how this runner was built",
                f"at {runners[name]} (runner_path of {name})",
                "compare two runners of build_runners.sh, each with its version.json beside it",
            )
        if side.record.architecture != cpu.architecture:
            raise UserError(
                f"the runner is for {side.record.architecture}, the CPU is {cpu.architecture}",
                f"at {side.path} (runner_path of {name})",
                "name a variant for this CPU",
            )
        built.append(side)
    return built
