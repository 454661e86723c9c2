# SPDX-License-Identifier: Apache-2.0
"""How often verdicts of pairs in lockstep are wrong, and how often a real effect is found, on simulated machines.

A pair's processes have a bias each that lasts as long as they live; the one made first may be 4 % slower. Turns meet
the machine as it is at their moment: it drifts, its noise outlasts a turn, bursts of other work slow single turns, and
other processes take slices of the processor, which a turn's processor time shows.
"""

from __future__ import annotations

import math
import random
import sys
from dataclasses import dataclass

import pytest

from model_profiling.paired_statistics import FASTER, NO_DIFFERENCE, Estimate, estimate, verdict
from model_profiling.pipeline.lockstep.rounds import disturbed_rounds, side_times_ns
from model_profiling.pipeline.lockstep.script import Coin
from model_profiling.pipeline.lockstep.turn import Turn
from model_profiling.pipeline.lockstep.turn_plan import LEAST_ROUNDS
from model_profiling.pipeline.schedule import shuffled

EXPERIMENTS, PAIRS, SIDES = 1000, 8, ("baseline", "candidate")
BASE_NS = 10_000_000
#: What a process is slower by that was made first, and what processes scatter by (both relative).
MADE_FIRST, PROCESS_NOISE, TURN_NOISE = 0.04, 0.005, 0.01


@dataclass(frozen=True)
class Machine:
    """A machine's faults.

    `drift` is relative over a run, `autocorrelation` of the noise from turn to turn; `bursts` is the share of turns
    that other work slows without taking the processor away, `slices` the share that loses the processor for a while.
    """

    drift: float = 0.0
    autocorrelation: float = 0.0
    bursts: float = 0.0
    slices: float = 0.0

    def run(self, seed: int, speedup: float, made_first: float = MADE_FIRST) -> Estimate:
        """Simulate an experiment and estimate its speed-up as the kit does."""
        draw = random.Random(seed)
        pairs = [self._pair(draw, seed, number, speedup, made_first) for number in range(PAIRS)]
        return estimate([baseline for baseline, _ in pairs], [candidate for _, candidate in pairs])

    def _pair(
        self, draw: random.Random, seed: int, number: int, speedup: float, made_first: float
    ) -> tuple[float, float]:
        coin, first = Coin(seed, (1, number, 0)), shuffled(SIDES, seed, "order", 1, number, 0)[0]
        bias = {side: draw.gauss(0, PROCESS_NOISE) + (made_first if side == first else 0.0) for side in SIDES}
        work = {side: BASE_NS * (speedup if side == "baseline" else 1.0) * math.exp(bias[side]) for side in SIDES}
        turns: dict[str, list[Turn]] = {side: [] for side in SIDES}
        noise = 0.0
        for place in range(LEAST_ROUNDS):
            for side in coin.order("round", place, SIDES):
                fresh = math.sqrt(1 - self.autocorrelation**2) * draw.gauss(0, TURN_NOISE)
                noise = self.autocorrelation * noise + fresh
                at = (number + place / LEAST_ROUNDS) / PAIRS
                turns[side].append(self._turn(draw, work[side] * (1 + self.drift * at) * math.exp(noise)))
        sides = [turns[side] for side in SIDES]
        aside = disturbed_rounds(sides)
        kept = [n for n in range(LEAST_ROUNDS) if n not in aside]
        baseline, candidate = side_times_ns([[float(side[n].ns[0]) for side in sides] for n in kept])
        return baseline, candidate

    def _turn(self, draw: random.Random, ns: float) -> Turn:
        if draw.random() < self.bursts:
            ns *= 1 + draw.expovariate(1 / 0.15)
        lost = draw.expovariate(1 / 4_000_000) if draw.random() < self.slices else 0.0
        return Turn((round(ns + lost),), round(ns + lost), round(ns), int(lost > 0), None, None)


MACHINES = {
    "steady": Machine(),
    "drifting by 12 %": Machine(drift=0.12),
    "autocorrelated": Machine(autocorrelation=0.9),
    "with bursts": Machine(bursts=0.2),
    "with other processes": Machine(slices=0.4),
    "all of it": Machine(drift=0.1, autocorrelation=0.8, bursts=0.1, slices=0.3),
}


@pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES.keys())
def test_at_most_5_percent_of_aa_experiments_get_a_verdict(machine: Machine) -> None:
    wrong = sum(verdict(machine.run(seed, 1.0)) != NO_DIFFERENCE for seed in range(EXPERIMENTS))
    assert wrong <= 0.05 * EXPERIMENTS


@pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES.keys())
def test_a_true_5_percent_effect_is_found_in_9_of_10(machine: Machine) -> None:
    """Where being made first costs nothing; where it costs 4 %, the coin turns it into scatter between pairs."""
    trials = 200
    found = sum(verdict(machine.run(seed, 1.05, made_first=0.0)) == FASTER for seed in range(trials))
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
