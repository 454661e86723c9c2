# SPDX-License-Identifier: Apache-2.0
"""How many executions a turn has and how many rounds a pair. Pure.

A round is one turn of each side. The first execution of a turn finds the other side's data in the
caches and sleeping threads, so it does not count where a turn has more than one. What is left of
the switch, a message between processes of about 0.1 ms, has to be small beside the turn. All sides
have as many executions in a turn: beside other work the first ones are the fastest, so that of two
equal sides the one with twice as many looked 4 % slower (seen under two busy loops on two cores).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

#: Wall time of a turn that makes the switch to it cost less than 2 %.
TURN_NS = 10_000_000
#: An execution this long outlasts what is left of the other side in the caches: turns of one, which counts.
LONG_NS = 100_000_000
#: Traced executions of a turn that count, where more than one counts at all: more would let traces grow.
COUNTED_TRACED = 2
#: Rounds of a pair, which come in twos of opposite orders. Fewer make the median over rounds a coarse one, so only a
#: slow model gets fewer, and never below the second.
LEAST_ROUNDS, FEWEST_ROUNDS = 16, 4
#: Wall time of a pair's turns; the least number of rounds may take this many times as long.
PAIR_NS, STRETCH = 10_000_000_000, 6


@dataclass(frozen=True)
class Work:
    """What a side of a pair is to do at least: counted executions, and ns of them."""

    executions: int
    ns: int = 0

    def counted(self, execution_ns: int) -> int:
        """Return how many executions of this many ns that takes."""
        return max(self.executions, math.ceil(self.ns / max(execution_ns, 1)))


@dataclass(frozen=True)
class TurnPlan:
    """Executions in a turn of every side, how many of them count (the last ones), and rounds."""

    executions: int
    counted: int
    rounds: int

    @property
    def left_out(self) -> int:
        """Return how many executions at a turn's begin do not count."""
        return self.executions - self.counted

    def duration_ns(self, execution_ns: Mapping[str, int]) -> int:
        """Return how long all turns take, by the time of an execution of each side."""
        return self.rounds * self.executions * sum(execution_ns.values())


def plan_turns(execution_ns: Mapping[str, int], work: Mapping[str, Work], budget_ns: int = PAIR_NS) -> TurnPlan:
    """Plan turns from the time that an execution of each side takes, in ns; the fastest side's turn is long enough.

    Parameters
    ----------
    work : what each side is to do, where the budget allows it.
    budget_ns : wall time for all turns of the pair. For `LEAST_ROUNDS` it is stretched; a model too slow for these
        gets those that fit, and `FEWEST_ROUNDS` however slow it is.
    """
    times = {side: max(ns, 1) for side, ns in execution_ns.items()}
    executions = _executions(min(times.values()))
    counted = executions - (executions > 1)
    wanted = max(math.ceil(work[side].counted(ns) / counted) for side, ns in times.items())
    round_ns = executions * sum(times.values())
    planned = max(wanted + wanted % 2, LEAST_ROUNDS)
    if LEAST_ROUNDS * round_ns > budget_ns:
        planned, budget_ns = LEAST_ROUNDS, STRETCH * budget_ns
    fitting = budget_ns // round_ns
    rounds = max(FEWEST_ROUNDS, min(planned, fitting - fitting % 2))
    return TurnPlan(executions, counted, rounds)


def _executions(execution_ns: int) -> int:
    if execution_ns >= LONG_NS:
        return 1
    return 1 + math.ceil(TURN_NS / execution_ns)
