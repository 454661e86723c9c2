# SPDX-License-Identifier: Apache-2.0
"""How often verdicts are wrong, and how often a real effect is found, on simulated machines.

Each simulated machine has 2 % launch noise and one or more of the ways in which real ones
misbehave: drift over the run, noise that outlasts a launch, bursts of other work.
"""

from __future__ import annotations

import math
import random
import sys
from dataclasses import dataclass

import pytest

from model_profiling.paired_statistics import FASTER, NO_DIFFERENCE, Estimate, estimate, noise_floor_percent, verdict
from model_profiling.pipeline.schedule import Pair

EXPERIMENTS = 1000
LAUNCH_NOISE = 0.02


@dataclass(frozen=True)
class Machine:
    """A machine's faults: relative drift over a run, AR(1) coefficient, share of launches hit by a burst."""

    drift: float = 0.0
    autocorrelation: float = 0.0
    bursts: float = 0.0
    pairs: int = 8

    def run(self, generator: random.Random, speedup: float) -> Estimate:
        """Simulate one experiment in randomized pairs and estimate its speed-up."""
        times: dict[str, list[float]] = {"baseline": [], "candidate": []}
        noise, launch = 0.0, 0
        seed = generator.randrange(2**32)
        orders = [Pair(number, 1, ("baseline", "candidate")).order(seed) for number in range(self.pairs)]
        for order in orders:
            for arm in order:
                fresh = math.sqrt(1 - self.autocorrelation**2) * generator.gauss(0, LAUNCH_NOISE)
                noise = self.autocorrelation * noise + fresh
                time = 10 * (1 + self.drift * launch / (2 * self.pairs)) * math.exp(noise)
                if generator.random() < self.bursts:
                    time *= 1 + generator.expovariate(1 / 0.15)
                times[arm].append(time * (speedup if arm == "baseline" else 1.0))
                launch += 1
        return estimate(times["baseline"], times["candidate"], [order[0] == "baseline" for order in orders])


MACHINES = {
    "steady": Machine(),
    "drifting by 5 %": Machine(drift=0.05),
    "autocorrelated": Machine(autocorrelation=0.8),
    "with bursts": Machine(bursts=0.1),
    "all of it": Machine(drift=0.1, autocorrelation=0.6, bursts=0.1),
    "steady, 6 pairs": Machine(pairs=6),
    "steady, 12 pairs": Machine(pairs=12),
}


@pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES.keys())
@pytest.mark.parametrize("seed", [1, 2])
def test_at_most_5_percent_of_aa_experiments_get_a_verdict(machine: Machine, seed: int) -> None:
    generator = random.Random(seed)
    wrong = sum(verdict(machine.run(generator, 1.0)) != NO_DIFFERENCE for _ in range(EXPERIMENTS))
    assert wrong <= 0.05 * EXPERIMENTS


@pytest.mark.parametrize("machine", [MACHINES["steady"], MACHINES["drifting by 5 %"], MACHINES["autocorrelated"]])
def test_a_true_5_percent_effect_is_found(machine: Machine) -> None:
    generator = random.Random(3)
    found = sum(verdict(machine.run(generator, 1.05)) == FASTER for _ in range(EXPERIMENTS))
    assert found >= 0.90 * EXPERIMENTS


def test_a_calibrated_machine_gives_fewer_false_verdicts_and_still_finds_the_effect() -> None:
    generator, wrong, found, trials = random.Random(4), 0, 0, 500
    for _ in range(trials):
        floor = noise_floor_percent(MACHINES["steady"].run(generator, 1.0))
        wrong += verdict(MACHINES["steady"].run(generator, 1.0), floor) != NO_DIFFERENCE
        found += verdict(MACHINES["steady"].run(generator, 1.05), floor) == FASTER
    assert wrong <= 0.04 * trials
    assert found >= 0.85 * trials


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, *sys.argv[1:]]))
