# SPDX-License-Identifier: Apache-2.0
"""How far the outputs of two experiments agreed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from model_profiling.agreement import COSINE_LIMIT
from model_profiling.pipeline.manifest import Manifest
from model_profiling.pipeline.program.export_facts import MAX_REL_ERROR, MIN_COSINE
from model_profiling.pipeline.run_directory import Launch


@dataclass(frozen=True)
class OutputAgreement:
    """The worst agreement of outputs over all launches of two experiments; None: not finite."""

    compared: int
    identical: int
    max_abs_error: float | None
    max_rel_error: float | None
    cosine: float | None


@dataclass(frozen=True)
class AgreementLimit:
    """How far the outputs of two programs may differ and still be the same answer; `recipe` is whose limit it is.

    `max_rel_error` is the largest difference over the largest value. It is None, and `recipe` "", where the exports
    recorded no limit and only the cosine is judged.
    """

    max_rel_error: float | None
    min_cosine: float
    recipe: str


def limit_of(manifest: Manifest, first: str, second: str) -> AgreementLimit:
    """Return the limit for two programs: the wider one of their recipes, as their exports recorded them."""
    programs = [manifest.program(name) for name in (first, second)]
    limits = [(limit, p) for p in programs if isinstance(limit := p.export.get("limit"), dict)]
    if len(limits) < len(programs):
        return AgreementLimit(None, COSINE_LIMIT, "")
    widest, program = max(limits, key=lambda held: float(held[0][MAX_REL_ERROR]))
    cosine = min(float(limit[MIN_COSINE]) for limit, _ in limits)
    return AgreementLimit(float(widest[MAX_REL_ERROR]), cosine, str(program.export.get("dtype", "")))


def within(outputs: OutputAgreement, limit: AgreementLimit) -> bool:
    """Return whether outputs are as close as the limit asks; what is not finite is not."""
    if outputs.cosine is None or outputs.max_rel_error is None:
        return False
    close = limit.max_rel_error is None or outputs.max_rel_error <= limit.max_rel_error
    return close and outputs.cosine >= limit.min_cosine


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
