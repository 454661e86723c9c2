# SPDX-License-Identifier: Apache-2.0
"""How far the outputs of two experiments agreed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from model_profiling.pipeline.run_directory import Launch


@dataclass(frozen=True)
class OutputAgreement:
    """The worst agreement of outputs over all launches of two experiments; None: not finite."""

    compared: int
    identical: int
    max_abs_error: float | None
    max_rel_error: float | None
    cosine: float | None


def agreement(launches: Sequence[Launch], first: str, second: str, threads: int) -> OutputAgreement:
    """Return how far the outputs of two experiments agreed where the pipeline compared them."""
    found = [
        entry
        for launch in launches
        if launch.threads == threads and launch.experiment in (first, second)
        for entry in launch.agreement
        if {launch.experiment, entry["with"]} == {first, second}
    ]

    def worst(key: str, choose: Callable[..., float], start: float) -> float | None:
        values = [entry[key] for entry in found]
        return None if any(value is None for value in values) else choose(values, default=start)

    return OutputAgreement(
        compared=len(found),
        identical=sum(bool(entry["identical"]) for entry in found),
        max_abs_error=worst("max_abs_error", max, 0.0),
        max_rel_error=worst("max_rel_error", max, 0.0),
        cosine=worst("cosine", min, 1.0),
    )
