# SPDX-License-Identifier: Apache-2.0
"""What the rounds of a pair say: which are disturbed, and each side's time of an execution. Pure.

A round has one turn of each side, moments apart, so what the machine does to both cancels in their
ratio. The median over rounds is then the pair's ratio.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from model_profiling.pipeline.lockstep.turn import Turn

#: A turn that got this much less of the processor than the side's turns usually do was disturbed. The shares of turns
#: on an idle machine lie within 0.02 of each other, so this is well above their scatter.
LOST_SHARE = 0.10
#: However busy the machine, this part of the rounds stays: those that lost least.
LEAST_KEPT = 0.5
#: The share that a side usually gets: a high quantile of its turns, since a disturbance only takes away.
_USUAL = 0.9


@dataclass(frozen=True)
class TurnRecord(Turn):
    """A turn as its launch's line has it: also its round, and its place in that.

    `left_out` executions at its begin do not count. `set_aside` says why the whole turn does not,
    "" where it does.
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
        """The executions that count where the turn does."""
        return self.ns[self.left_out :]


def counted_executions(turns: Sequence[TurnRecord]) -> tuple[int, ...]:
    """Return the ns of the untraced executions that count."""
    return tuple(ns for turn in turns if not turn.traced and not turn.set_aside for ns in turn.counted_ns)


def disturbed_rounds(sides: Sequence[Sequence[Turn]]) -> dict[int, str]:
    """Return the rounds to set aside, each with the reason in words; `sides` holds a turn of each round.

    The rule looks at the processor's time beside the clock's and at steal, never at how long an
    execution took, so it cannot favor a result.
    """
    rounds = len(sides[0])
    losses = [_losses(turns) for turns in sides]
    worst = [max(side[number] for side in losses) for number in range(rounds)]
    by_loss = sorted(range(rounds), key=lambda number: -worst[number])
    most = math.floor((1 - LEAST_KEPT) * rounds)
    return {
        number: f"lost {100 * worst[number]:.0f} % of the processor"
        for number in by_loss[:most]
        if worst[number] > LOST_SHARE
    }


def _losses(turns: Sequence[Turn]) -> list[float]:
    """Return how much less of the processor each turn got than the side's turns usually do, from 0 to 1."""
    shares = [turn.cpu_ns / turn.wall_ns for turn in turns]
    usual = sorted(shares)[min(len(shares) - 1, math.floor(_USUAL * len(shares)))]
    if usual <= 0:
        return [0.0] * len(turns)
    return [max(0.0, 1 - share / usual) for share in shares]


def side_times_ns(rounds: Sequence[Sequence[float]]) -> tuple[float, ...]:
    """Return an execution's time of each side, in the unit given, so that ratios are those of neighboring turns.

    Parameters
    ----------
    rounds : a round's times, one of each side, above 0.

    Of two sides, the ratio of the times returned is the median over rounds of the ratio of the
    two. More are put on one scale by one step of Tukey's median polish of the logarithms
    (Exploratory Data Analysis, 1977), so that every two of them have one ratio.
    """
    logs = [[math.log(time) for time in times] for times in rounds]
    levels = [statistics.fmean(row) for row in logs]
    level = statistics.median(levels)
    effects = [
        statistics.median(row[side] - own for row, own in zip(logs, levels, strict=True))
        for side in range(len(logs[0]))
    ]
    return tuple(math.exp(level + effect) for effect in effects)
