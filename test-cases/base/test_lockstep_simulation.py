# SPDX-License-Identifier: Apache-2.0
"""How often verdicts of pairs in lockstep are wrong, and how often a real effect is found, on simulated machines.

A pair's processes have a bias each that lasts as long as they live; the one made first may be 4 % slower. Turns meet
the machine as it is at their moment: it drifts, its noise outlasts a turn, bursts of other work slow single turns, and
other processes take slices of the processor, which a turn's processor time shows.
"""

from __future__ import annotations

import math
import random
import statistics
import sys
from dataclasses import dataclass

import pytest

from model_profiling.paired_statistics import FASTER, NO_DIFFERENCE, Estimate, estimate, verdict
from model_profiling.pipeline.lockstep.rounds import disturbed_rounds, side_times_ns
from model_profiling.pipeline.lockstep.script import Coin
from model_profiling.pipeline.lockstep.turn import Turn
from model_profiling.pipeline.lockstep.turn_plan import LEAST_ROUNDS
from model_profiling.pipeline.schedule import Pair

EXPERIMENTS, PAIRS, SIDES = 1000, 8, ("baseline", "candidate")
BASE_NS = 2_000_000
#: What a process is slower by that was made first, and what processes scatter by (both relative).
MADE_FIRST, PROCESS_NOISE, TURN_NOISE = 0.04, 0.005, 0.01


@dataclass(frozen=True)
class Machine:
    """A machine's faults.

    `drift` is relative over a run, `autocorrelation` of the noise from turn to turn; `bursts` is the share of turns
    that other work slows without taking the processor away, `slices` the share that loses the processor for a while;
    `turn_first` is what the second turn of a round is slower by.
    """

    drift: float = 0.0
    autocorrelation: float = 0.0
    bursts: float = 0.0
    slices: float = 0.0
    turn_first: float = 0.0

    def run(self, seed: int, speedup: float, made_first: float = MADE_FIRST) -> Estimate:
        """Simulate an experiment and estimate its speed-up as the kit does."""
        draw = random.Random(seed)
        orders = [Pair(number, 1, SIDES).order(seed) for number in range(PAIRS)]
        pairs = [self._pair(draw, seed, number, order[0], speedup, made_first) for number, order in enumerate(orders)]
        return estimate(*zip(*pairs, strict=True), [order[0] == "baseline" for order in orders])

    def _pair(
        self, draw: random.Random, seed: int, number: int, first: str, speedup: float, made_first: float
    ) -> tuple[float, float]:
        coin = Coin(seed, (1, number, 0))
        bias = {side: draw.gauss(0, PROCESS_NOISE) + (made_first if side == first else 0.0) for side in SIDES}
        work = {side: BASE_NS * (speedup if side == "baseline" else 1.0) * math.exp(bias[side]) for side in SIDES}
        turns: dict[str, list[Turn]] = {side: [] for side in SIDES}
        rounds: list[dict[int, float]] = []
        noise = 0.0
        for place in range(LEAST_ROUNDS):
            rounds.append({})
            for order, side in enumerate(coin.order("round", place, SIDES)):
                fresh = math.sqrt(1 - self.autocorrelation**2) * draw.gauss(0, TURN_NOISE)
                noise = self.autocorrelation * noise + fresh
                at = (number + place / LEAST_ROUNDS) / PAIRS
                begun = 1 + self.turn_first * order
                turns[side].append(self._turn(draw, work[side] * begun * (1 + self.drift * at) * math.exp(noise)))
                rounds[-1][SIDES.index(side)] = 0.0  # its place
        aside = disturbed_rounds([turns[side] for side in SIDES])
        for number, times in enumerate(rounds):
            for place, side in enumerate(SIDES):
                ns = turns[side][number].ns
                times[place] = float(min(ns)) if number in aside else statistics.median(ns)
        baseline, candidate = side_times_ns(rounds)
        return baseline, candidate

    def _turn(self, draw: random.Random, ns: float) -> Turn:
        """Five executions; a burst slows all of them, a slice of another process falls into one."""
        if draw.random() < self.bursts:
            ns *= 1 + draw.expovariate(1 / 0.15)
        executions = [ns * math.exp(draw.gauss(0, TURN_NOISE)) for _ in range(5)]
        lost = draw.expovariate(1 / 4_000_000) if draw.random() < self.slices else 0.0
        executions[draw.randrange(5)] += lost
        wall = round(sum(executions))
        return Turn(tuple(map(round, executions)), wall, wall - round(lost), int(lost > 0), None, None)


MACHINES = {
    "steady": Machine(),
    "drifting by 12 %": Machine(drift=0.12),
    "autocorrelated": Machine(autocorrelation=0.9),
    "with bursts": Machine(bursts=0.2),
    "with other processes": Machine(slices=0.4),
    "with a first turn that is favored": Machine(turn_first=0.08),
    "all of it": Machine(drift=0.1, autocorrelation=0.8, bursts=0.1, slices=0.3, turn_first=0.08),
}


@pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES.keys())
def test_at_most_5_percent_of_aa_experiments_get_a_verdict(machine: Machine) -> None:
    wrong = sum(verdict(machine.run(seed, 1.0)) != NO_DIFFERENCE for seed in range(EXPERIMENTS))
    assert wrong <= 0.05 * EXPERIMENTS


@pytest.mark.parametrize("made_first", [0.0, MADE_FIRST])
@pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES.keys())
def test_a_true_5_percent_effect_is_found_in_9_of_10(machine: Machine, made_first: float) -> None:
    """What being made first costs is told from the effect, as half of the pairs have either order."""
    trials = 200
    found = sum(verdict(machine.run(seed, 1.05, made_first)) == FASTER for seed in range(trials))
    assert found >= 0.9 * trials


def test_without_the_coin_the_process_made_first_would_look_slower() -> None:
    """What the coin is for: always made first, a side is 4 % slower in every pair."""
    draw, pairs = random.Random(5), []
    for _ in range(PAIRS):
        sides = [math.exp(draw.gauss(0, PROCESS_NOISE) + first) for first in (MADE_FIRST, 0.0)]
        pairs.append(sides)
    assert verdict(estimate(*zip(*pairs, strict=True))) == FASTER


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
