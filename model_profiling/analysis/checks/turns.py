# SPDX-License-Identifier: Apache-2.0
"""Check that what a pair in lockstep came to follows from the turns that its launches recorded."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from model_profiling.findings import Finding, error
from model_profiling.pipeline.lockstep.rounds import counted_executions, counted_rounds, disturbed_rounds, side_times_ns
from model_profiling.pipeline.lockstep.script import Coin
from model_profiling.pipeline.run_directory import Launch

_RESTORE = "restore launches.jsonl"
#: JSON keeps every digit of a time; this leaves room for another order of adding up.
_TOLERANCE = 1e-9


def check_turns(launches: Sequence[Launch], seed: int, sides: Mapping[int, int]) -> Iterator[Finding]:
    """Yield what does not follow: latencies, disturbed rounds, the order within rounds, the pair's times.

    `sides` is how many launches a pair has, by its threads; of a pair that was recorded in part nothing follows.
    """
    pairs: dict[tuple[int, int, int], list[Launch]] = {}
    for launch in launches:
        if launch.turns and launch.ok:
            if launch.latency_ns != counted_executions(launch.turns):
                yield error("turns", f"{_named(launch)} has other latencies than its turns", _RESTORE)
            pairs.setdefault((launch.threads, launch.pair, launch.attempt), []).append(launch)
    for (threads, number, attempt), pair in pairs.items():
        if len(pair) == sides.get(threads):
            problems = _problems(pair, Coin(seed, (threads, number, attempt)))
            yield from (error("turns", f"pair {number + 1}: {problem}", _RESTORE) for problem in problems)


def _problems(pair: Sequence[Launch], coin: Coin) -> Iterator[str]:
    timed = [[turn for turn in launch.turns if not turn.traced] for launch in pair]
    rounds = [turn.round for turn in timed[0]]
    if rounds != list(range(len(rounds))) or any([turn.round for turn in side] != rounds for side in timed):
        yield "a round has not one turn of each side"
        return
    names = [launch.experiment for launch in pair]
    for number in rounds:
        places = {launch.experiment: side[number].order for launch, side in zip(pair, timed, strict=True)}
        if tuple(sorted(names, key=places.__getitem__)) != coin.order("round", number, names):
            yield f"round {number + 1} was not begun by whom the coin says"
    aside = disturbed_rounds(timed)
    if any(turn.set_aside != aside.get(turn.round, "") for side in timed for turn in side):
        yield "other rounds are marked as disturbed than were"
        return
    times = side_times_ns(counted_rounds(timed))
    for launch, time in zip(pair, times, strict=True):
        if launch.paired_ns is None or not math.isclose(launch.paired_ns, time, rel_tol=_TOLERANCE):
            yield f"the time of {launch.experiment} is not that of its turns"


def _named(launch: Launch) -> str:
    return f"launch {launch.index} ({launch.experiment})"
