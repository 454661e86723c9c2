# SPDX-License-Identifier: Apache-2.0
"""Ranks what rules propose, so that no time is counted twice.

The largest saving comes first. What it leaves of its places is what a later one can save there: two ways to change
one layer are not worth both their savings. So the sum of all savings is never more than the places take.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from model_profiling.analysis.advice.candidate import AdvisedSide, Candidate
from model_profiling.analysis.advice.costs import LAYER, Place
from model_profiling.analysis.advice.opportunity import EXECUTION, Opportunity

#: Less than this share of an execution is not worth a change that has to be verified: it lies within what two
#: processes of the same program differ by (the README's table of both orders).
SMALLEST_SHARE = 0.01


def rank(side: AdvisedSide, candidates: Iterable[Candidate]) -> tuple[Opportunity, ...]:
    """Return opportunities of one side, those of executions before those of the start, the largest saving first."""
    pending = list(candidates)
    left = dict(side.costs.ms)
    ranked = []
    waiting = [candidate for candidate in pending if candidate.per == EXECUTION]
    while waiting:
        best = max(waiting, key=lambda one: (_saves(one, left), one.id))
        waiting.remove(best)
        if _saves(best, left) < SMALLEST_SHARE * side.costs.time_ms:
            break
        ranked.append(_opportunity(side, best, left))
        left.update({place: min(left.get(place, 0.0), bound) for place, bound in best.bounds_ms.items()})
    starts = sorted((one for one in pending if one.per != EXECUTION), key=lambda one: one.bound_ms - one.now_ms)
    return (*ranked, *(_of_start(side, one) for one in starts))


def _saves(candidate: Candidate, left: dict[Place, float]) -> float:
    return sum(max(left.get(place, 0.0) - bound, 0.0) for place, bound in candidate.bounds_ms.items())


def _opportunity(side: AdvisedSide, candidate: Candidate, left: dict[Place, float]) -> Opportunity:
    now = sum(left.get(place, 0.0) for place in candidate.bounds_ms)
    saves = _saves(candidate, left)
    alone = _saves(candidate, dict(side.costs.ms))
    # What an earlier one took of the places, it took of the interval too.
    low, high = (None, None) if candidate.interval_ms is None else (x * saves / alone for x in candidate.interval_ms)
    return Opportunity(
        candidate.id,
        candidate.kind,
        side.side.experiment,
        side.side.threads,
        _where(side, candidate.bounds_ms),
        now,
        now - saves,
        saves,
        candidate.basis,
        candidate.per,
        low,
        high,
        candidate.facts,
    )


def _of_start(side: AdvisedSide, candidate: Candidate) -> Opportunity:
    low, high = candidate.interval_ms or (None, None)
    return Opportunity(
        candidate.id,
        candidate.kind,
        side.side.experiment,
        side.side.threads,
        (),
        candidate.now_ms,
        candidate.bound_ms,
        candidate.now_ms - candidate.bound_ms,
        candidate.basis,
        candidate.per,
        low,
        high,
        candidate.facts,
    )


def _where(side: AdvisedSide, places: Collection[Place]) -> tuple[str, ...]:
    """Return the layers among places, in execution order; none where all that runs is meant."""
    if set(places) >= set(side.costs.ms) and len(places) > 1:
        return ()
    return tuple(side.layers[number].layer for number in sorted(number for kind, number in places if kind == LAYER))
