# SPDX-License-Identifier: Apache-2.0
"""How long jobs will take: a guess for small models, corrected by those that are done. Pure."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterable
from typing import Any

from model_profiling.fleet.plan import Cell, Job
from model_profiling.pipeline.config import DEFAULT_PAIRS, QUICK_PAIRS

#: Measured with the toy models on a 2-core x86-64 virtual machine: an export, a run without its pairs, a pair at one
#: thread count, a preview. Larger models take longer, which the first of them that are done tell.
EXPORT_S, RUN_S, PAIR_S, PREVIEW_S = 10.0, 6.0, 1.5, 20.0
_COUNT_EVERY_S = 1.0


def guess_s(job: Job, quick: bool) -> float:
    """Return what a job of a small model takes."""
    if not isinstance(job, Cell):
        return EXPORT_S if job.exported else 0.0
    if not job.device.timed:
        return PREVIEW_S
    config: Any = job.config
    pairs = QUICK_PAIRS if quick else config.get("pairs", DEFAULT_PAIRS)
    return RUN_S + PAIR_S * pairs * len(config["experiments"]) / 2


class TimeEstimate:
    """Expected durations; `known` are jobs that were done, with the seconds that each took."""

    def __init__(self, quick: bool, known: Iterable[tuple[Job, float]] = ()) -> None:
        self._quick = quick
        self._known = {job.name: seconds for job, seconds in known if seconds > 0}
        self._factors: dict[str, list[float]] = {}
        for job, seconds in known:
            if seconds > 0 and guess_s(job, quick) > 0:
                for key in _keys(job):
                    self._factors.setdefault(key, []).append(seconds / guess_s(job, quick))

    @property
    def measured(self) -> bool:
        """Whether anything that was done corrects the guess."""
        return bool(self._factors)

    def seconds(self, job: Job) -> float:
        """Return the expected duration of a job: as it took before, else by the most alike that were done."""
        if job.name in self._known:
            return self._known[job.name]
        factors = next((self._factors[key] for key in _keys(job) if key in self._factors), [1.0])
        return guess_s(job, self._quick) * statistics.median(factors)

    def total(self, jobs: Iterable[Job]) -> float:
        return sum(map(self.seconds, jobs))


class Remaining:
    """What the jobs that are not done yet are expected to take, learnt from those that are.

    Of thousands of jobs that is counted anew once in a while, and in between each that ends is taken off.
    """

    def __init__(self, jobs: Iterable[Job], estimate: TimeEstimate, quick: bool) -> None:
        self._left = {job.name: job for job in jobs}
        self._estimate, self._quick = estimate, quick
        self._done: list[tuple[Job, float]] = []
        self._counted, self.seconds = time.monotonic(), estimate.total(self._left.values())

    def ended(self, name: str, seconds: float) -> float:
        """Take a job off that took `seconds`, 0 where it failed; return what is left, in seconds."""
        job = self._left.pop(name)
        self._done.append((job, seconds))
        now = time.monotonic()
        if now - self._counted < _COUNT_EVERY_S:
            self.seconds = max(0.0, self.seconds - self._estimate.seconds(job))
            return self.seconds
        if any(took > 0 for _, took in self._done):
            self._estimate = TimeEstimate(self._quick, self._done)
        self._counted, self.seconds = now, self._estimate.total(self._left.values())
        return self.seconds


def _keys(job: Job) -> tuple[str, ...]:
    """Return what jobs that take alike long share, the most telling first."""
    if not isinstance(job, Cell):
        return f"export {job.model.label}", "export"
    kind = job.device.kind
    return f"{kind} {job.program.name} {job.device.label}", f"{kind} {job.model}", kind
