# SPDX-License-Identifier: Apache-2.0
"""What the rounds of a pair say: which are disturbed, and each side's time of an execution. Pure.

A round has one turn of each side, moments apart, so what the machine does to both cancels in their
ratio. The median over rounds, of those with one order and the other, is then the pair's ratio. In a
disturbed round each side's fastest execution stands for its turn: under a busy loop on each of two
cores intervals are then a third as wide as without these rounds (six experiments: 2.5 against 6.6 %).
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from model_profiling.pipeline.lockstep.turn import Turn

#: A turn that lost this much was disturbed: got so much less of the processor than the side's turns usually do, had it
#: taken by the hypervisor, or ran so far below the usual frequency. The processor's shares of turns on an idle machine
#: lie within 0.02 of each other, so this is well above their scatter.
LOST_SHARE = 0.10
#: The share that a side usually gets: a high quantile of its turns, since a disturbance only takes away.
_USUAL = 0.9


@dataclass(frozen=True)
class TurnRecord(Turn):
    """A turn as its launch's line has it: also its round, and its place in that.

    `left_out` executions at its begin do not count. In a disturbed round, of which `set_aside` says what
    happened, only the fastest execution of each turn does: the one that most likely went on undisturbed.
    """

    round: int
    order: int
    traced: bool
    left_out: int
    set_aside: str = ""

    @classmethod
    def of(cls, turn: Turn, *, round_: int, order: int, traced: bool, left_out: int) -> TurnRecord:
        return cls(**asdict(turn), round=round_, order=order, traced=traced, left_out=left_out)

    @classmethod
    def from_line(cls, plain: Mapping[str, Any]) -> TurnRecord:
        """Return the record that a line holds; ValueError or TypeError where it is none."""
        if set(plain) - {f.name for f in fields(cls)}:
            raise ValueError(f"unknown keys {sorted(set(plain) - {f.name for f in fields(cls)})} in a turn")
        return cls(**plain)

    @property
    def counted_ns(self) -> tuple[int, ...]:
        """The executions that count, in ns."""
        counted = self.ns[self.left_out :]
        return (min(counted),) if self.set_aside else counted


def counted_executions(turns: Sequence[TurnRecord]) -> tuple[int, ...]:
    """Return the ns of the untraced executions that count."""
    return tuple(ns for turn in turns if not turn.traced for ns in turn.counted_ns)


def counted_rounds(sides: Sequence[Sequence[TurnRecord]]) -> list[dict[int, float]]:
    """Return of each untraced round the sides' ns of an execution, in the order of their turns."""
    rounds: dict[int, dict[int, tuple[int, float]]] = {}
    for side, turns in enumerate(sides):
        for turn in turns:
            if not turn.traced:
                rounds.setdefault(turn.round, {})[side] = turn.order, statistics.median(turn.counted_ns)
    return [
        {side: ns for side, (_, ns) in sorted(of_round.items(), key=lambda item: item[1][0])}
        for _, of_round in sorted(rounds.items())
    ]


def disturbed_rounds(sides: Sequence[Sequence[Turn]]) -> dict[int, str]:
    """Return the disturbed rounds, each with what happened in words; `sides` holds a turn of each round.

    The rule looks at the processor's time beside the clock's, at what the hypervisor took and at the frequency, never
    at how long an execution took, so it cannot favor a result.
    """
    rounds = len(sides[0])
    losses = [lost for turns in sides for lost in (_processor_lost(turns), _stolen(turns), _slowed(turns))]
    worst = [max((of_side[number] for of_side in losses), key=lambda loss: loss.share) for number in range(rounds)]
    return {number: loss.told for number, loss in enumerate(worst) if loss.share > LOST_SHARE}


@dataclass(frozen=True)
class _Loss:
    """What a turn lost, from 0 to 1, and the words for it."""

    share: float
    words: str

    @property
    def told(self) -> str:
        return self.words.format(f"{100 * self.share:.0f} %")


def _processor_lost(turns: Sequence[Turn]) -> list[_Loss]:
    """Return how much less of the processor each turn got than the side's turns usually do."""
    return _below_usual([turn.cpu_ns / turn.wall_ns for turn in turns], "lost {} of the processor")


def _stolen(turns: Sequence[Turn]) -> list[_Loss]:
    """Return how much more of each turn the hypervisor took, from all of the machine's cores, than it usually does."""
    shares = [(turn.steal_ns or 0) / turn.wall_ns for turn in turns]
    usual = statistics.median(shares)
    return [_Loss(max(0.0, share - usual), "lost {} to the hypervisor") for share in shares]


def _slowed(turns: Sequence[Turn]) -> list[_Loss]:
    """Return how far each turn's frequency was below the side's usual one."""
    return _below_usual([float(turn.frequency_khz or 0) for turn in turns], "ran {} below the usual frequency")


def _below_usual(values: Sequence[float], words: str) -> list[_Loss]:
    usual = sorted(values)[min(len(values) - 1, math.floor(_USUAL * len(values)))]
    return [_Loss(max(0.0, 1 - value / usual) if usual > 0 else 0.0, words) for value in values]


def side_times_ns(rounds: Sequence[Mapping[int, float]]) -> tuple[float, ...]:
    """Return an execution's time of each side, in the unit given, so that ratios are those of neighboring turns.

    Parameters
    ----------
    rounds : of each round the sides in the order of their turns, each with its time, above 0.

    A side's effect in a round is how far its logarithm lies from the round's mean. Its median is taken for each place
    that the side had in rounds, and the mean over places is free of what being first costs. Every two sides so have
    one ratio; of two sides it is the mean of two medians over rounds, those that one side began and the others.
    """
    levels: list[float] = []
    effects: dict[int, dict[int, list[float]]] = {}
    for times in rounds:
        logs = {side: math.log(time) for side, time in times.items()}
        levels.append(statistics.fmean(logs.values()))
        for place, (side, own) in enumerate(logs.items()):
            effects.setdefault(side, {}).setdefault(place, []).append(own - levels[-1])
    level = statistics.median(levels)
    return tuple(
        math.exp(level + statistics.fmean(map(statistics.median, effects[side].values()))) for side in sorted(effects)
    )
