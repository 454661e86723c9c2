# SPDX-License-Identifier: Apache-2.0
"""What the sides of a pair are told, in order: all of it is known before the first of them is made. Pure.

A script can therefore be played by whoever is near the sides: this process, or a program on a device.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from model_profiling.pipeline.lockstep.turn_plan import COUNTED_TRACED, TurnPlan
from model_profiling.pipeline.schedule import shuffled, turned

#: What a side is told beside "turn N"; it is started by the first.
START, TRACE, END = "start", "trace", "end"


@dataclass(frozen=True)
class Cue:
    """One thing that the side of this number is told; it answers before the next step."""

    side: int
    says: str


@dataclass(frozen=True)
class TurnCue(Cue):
    """A turn: its round, its place in that, how many executions at its begin do not count."""

    round: int
    order: int
    traced: bool
    left_out: int


@dataclass(frozen=True)
class Coin:
    """Decides who begins each round; `key` names the pair.

    Rounds come in twos of opposite orders, so that each side is first as often: beside other work the first turn of
    a round is 5 to 10 % faster (seen under two busy loops on two cores). `rounds.side_times_ns` takes that out.
    """

    seed: int
    key: tuple[int, ...]

    def order(self, kind: str, number: int, sides: Iterable[str]) -> tuple[str, ...]:
        """Return the sides in the order of their turns in the round of this number."""
        return turned(shuffled(sides, self.seed, kind, *self.key, number // 2), number)


def script_of(plan: TurnPlan, sides: Sequence[str], traced_runs: Mapping[str, int], coin: Coin) -> list[Cue]:
    """Return the steps of a pair whose sides are made in the order given.

    `traced_runs` has the traced executions that count of each side, 0 for one that is not traced.
    """
    steps = [Cue(side, START) for side in range(len(sides))]
    for number in range(plan.rounds):
        order = coin.order("round", number, sides)
        steps += _round(order, sides, dict.fromkeys(sides, plan.executions), plan.left_out, number, traced=False)
    left = {name: traced_runs[name] for name in sides if traced_runs[name]}
    steps += [Cue(sides.index(name), TRACE) for name in left]
    number = 0
    while left:
        counted = {name: min(COUNTED_TRACED, plan.counted, count) for name, count in left.items()}
        executions = {name: count + plan.left_out for name, count in counted.items()}
        order = coin.order("traced", number, left)
        steps += _round(order, sides, executions, plan.left_out, number, traced=True)
        left = {name: count - counted[name] for name, count in left.items() if count > counted[name]}
        number += 1
    return steps + [Cue(side, END) for side in range(len(sides))]


def _round(
    order: Sequence[str], sides: Sequence[str], executions: Mapping[str, int], left_out: int, number: int, traced: bool
) -> list[Cue]:
    return [
        TurnCue(sides.index(name), f"turn {executions[name]}", number, place, traced, left_out)
        for place, name in enumerate(order)
    ]
