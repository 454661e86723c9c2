# SPDX-License-Identifier: Apache-2.0
"""What threads bring: each comparison over the thread counts it was made at, in a table and in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from model_profiling.report.latencies import execution_time
from model_profiling.report.load import RunData
from model_profiling.report.naming import Naming
from model_profiling.report.quantities import Quantity, Sentence, quantity
from model_profiling.report.view import ComparisonView
from model_profiling.rounding import places_for
from model_profiling.wording import count, listed


@dataclass(frozen=True)
class ThreadRow:
    """One thread count of one comparison; `resolved` says what ran where that is not what was asked for."""

    threads: int
    resolved: str
    baseline: Quantity
    candidate: Quantity
    speedup: Quantity
    low: Quantity | None
    high: Quantity | None
    word: str


@dataclass(frozen=True)
class Scaling:
    """One comparison over several thread counts, and in words what threads bring."""

    baseline_side: str
    candidate_side: str
    baseline_series: int
    candidate_series: int
    rows: tuple[ThreadRow, ...]
    sentences: tuple[Sentence, ...]


def scaling(run: RunData, naming: Naming, comparisons: Sequence[ComparisonView]) -> tuple[Scaling, ...]:
    """Return one entry for each two experiments that were compared at several thread counts."""
    over_threads = []
    for names in dict.fromkeys((c.baseline, c.candidate) for c in comparisons):
        held = sorted((c for c in comparisons if (c.baseline, c.candidate) == names), key=lambda c: c.threads)
        if len(held) > 1:
            over_threads.append(
                Scaling(
                    held[0].baseline_side,
                    held[0].candidate_side,
                    held[0].baseline_series,
                    held[0].candidate_series,
                    tuple(_row(run, c) for c in held),
                    tuple(_words(run, naming, name, [c.threads for c in held]) for name in names),
                )
            )
    return tuple(over_threads)


def _row(run: RunData, c: ComparisonView) -> ThreadRow:
    verdict = c.verdict
    before, after = (execution_time(run, name, c.threads) for name in (c.baseline, c.candidate))
    return ThreadRow(
        c.threads, _resolved(run, c), before, after, verdict.speedup, verdict.low, verdict.high, verdict.badge
    )


def _resolved(run: RunData, c: ComparisonView) -> str:
    """Return how many threads the runtime used, as it reported them; "" where it did not."""
    seen = {
        launch.threads_resolved
        for launch in run.launches
        if launch.threads == c.threads
        and launch.experiment in (c.baseline, c.candidate)
        and launch.threads_resolved is not None
    }
    return listed([str(number) for number in sorted(seen)])


def _words(run: RunData, naming: Naming, experiment: str, threads: Sequence[int]) -> Sentence:
    """Say how latency changes from the fewest threads to each further count."""
    first, start = execution_time(run, experiment, threads[0]), f"{naming.under(experiment)}, "
    words: list[str | Quantity] = [start[:1].upper() + start[1:]]
    for position, number in enumerate(threads[1:]):
        then = execution_time(run, experiment, number)
        # Of the two latencies, each with its own digits, the coarser decides.
        spread = max(0.5 * 10.0**-q.places / q.raw for q in (first, then))
        ratio = first.raw / then.raw
        factor = quantity(ratio, f"{first.path},{then.path}|ratio", min(places_for(spread * ratio, ratio), 2))
        words += [
            "; " if position else "",
            f"{count(number, 'thread')} {'are' if number > 1 else 'is'} ",
            factor,
            f" times as fast as {threads[0]}" if position == 0 else " times",
        ]
    return (*words, ".")
