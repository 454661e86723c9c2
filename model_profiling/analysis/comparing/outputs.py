# SPDX-License-Identifier: Apache-2.0
"""How far the outputs of two experiments agreed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
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
    entries = [
        entry
        for launch in launches
        if launch.threads == threads and launch.experiment in (first, second)
        for entry in launch.agreement
        if {launch.experiment, entry["with"]} == {first, second}
    ]
    return OutputAgreement(
        compared=len(entries),
        identical=sum(bool(entry["identical"]) for entry in entries),
        max_abs_error=_worst([entry["max_abs_error"] for entry in entries], max, 0.0),
        max_rel_error=_worst([entry["max_rel_error"] for entry in entries], max, 0.0),
        cosine=_worst([entry["cosine"] for entry in entries], min, 1.0),
    )


def _worst(values: Sequence[float | None], choose: Callable[[Iterable[float]], float], start: float) -> float | None:
    known = [value for value in values if value is not None]
    return None if len(known) < len(values) else choose(known) if known else start
