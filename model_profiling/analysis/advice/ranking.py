# SPDX-License-Identifier: Apache-2.0
"""Ranks what rules propose, so that no time is counted twice.

The largest saving comes first. What it leaves of its places is what a later one can save there: two ways to change
one layer are not worth both their savings. So the sum of all savings is never more than the places take.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from model_profiling.analysis.advice.candidate import AdvisedSide, Candidate
from model_profiling.analysis.advice.costs import LAYER, Place, start_ms
from model_profiling.analysis.advice.opportunity import EXECUTION, Opportunity

#: Less than this share of an execution is not worth a change that has to be verified: it lies within what two
#: processes of the same program differ by (the README's table of both orders).
SMALLEST_SHARE = 0.01


def rank(side: AdvisedSide, candidates: Iterable[Candidate]) -> tuple[Opportunity, ...]:
    """Return opportunities of one side, those of executions before those of the start, the largest saving first."""
    pending = list(candidates)
    of_executions = _of_executions(side, [one for one in pending if one.per == EXECUTION])
    of_starts = _of_starts(side, [one for one in pending if one.per != EXECUTION])
    return (*of_executions, *sorted(of_starts, key=lambda one: -one.saves_ms))


def _of_executions(side: AdvisedSide, waiting: list[Candidate]) -> Iterator[Opportunity]:
    left = dict(side.costs.ms)
    while waiting:
        best = max(waiting, key=lambda one: (_saves(one, left), one.id))
        waiting.remove(best)
        if _saves(best, left) < SMALLEST_SHARE * side.costs.time_ms:
            return
        yield _opportunity(side, best, left, side.costs.ms)
        _take(best, left)


def _of_starts(side: AdvisedSide, waiting: Sequence[Candidate]) -> Iterator[Opportunity]:
    """Yield them in the order of the rules: what makes a start shorter comes before what makes starts rarer."""
    whole = start_ms(side.side)
    left = dict(whole)
    for one in waiting:
        if _saves(one, left) > 0:
            yield _opportunity(side, one, left, whole)
            _take(one, left)


def _take(candidate: Candidate, left: dict[Place, float]) -> None:
    left.update({place: min(left.get(place, 0.0), bound) for place, bound in candidate.bounds_ms.items()})


def _saves(candidate: Candidate, left: Mapping[Place, float]) -> float:
    return sum(max(left.get(place, 0.0) - bound, 0.0) for place, bound in candidate.bounds_ms.items())


def _opportunity(
    side: AdvisedSide, candidate: Candidate, left: Mapping[Place, float], whole: Mapping[Place, float]
) -> Opportunity:
    now = sum(left.get(place, 0.0) for place in candidate.bounds_ms)
    saves = _saves(candidate, left)
    alone = _saves(candidate, whole)
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


def _where(side: AdvisedSide, places: Collection[Place]) -> tuple[str, ...]:
    """Return the layers among places, in execution order; none where all that runs is meant, or a start."""
    if set(places) >= set(side.costs.ms) and len(places) > 1:
        return ()
    return tuple(side.layers[number].layer for number in sorted(number for kind, number in places if kind == LAYER))
