# SPDX-License-Identifier: Apache-2.0
"""Why launches are paired and take turns: one simulated machine, measured in blocks, in pairs and in lockstep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from model_profiling.paired_statistics import Estimate, estimate
from model_profiling.pipeline.lockstep.rounds import side_times_ns
from model_profiling.report.svg import Drawing
from model_profiling.rounding import fixed, ratio_places
from tools.figures.card import MARGIN, WIDTH, Card
from tools.figures.data import load


@dataclass(frozen=True)
class SimulatedTurn:
    """A simulated launch, or a turn of one: its side, when it was made (in launches from the start), its ms."""

    side: str
    at: float
    ms: float


@dataclass(frozen=True)
class SimulatedPlan:
    """A way to measure: what was made, in its order, and the time of each pair's sides in ms."""

    title: str
    turns: Sequence[SimulatedTurn]
    pairs: Sequence[tuple[float, float]]
    boxed: bool

    def estimate(self) -> Estimate:
        """Return the kit's estimate from the pairs."""
        return estimate([off for off, _ in self.pairs], [on for _, on in self.pairs])


def simulate(data: dict[str, Any]) -> tuple[SimulatedPlan, SimulatedPlan, SimulatedPlan]:
    """Return launches in blocks, in random pairs and in lockstep on one machine: the same drift, the same noise.

    Both sides take the same time, so whatever differs between them is the machine. Its noise lasts as long as a
    launch: the turns of a pair in lockstep meet the same one, and scatter a little by themselves.
    """
    pairs, random = data["pairs"], Random(data["seed"])
    noise = [random.gauss(0, data["noise_percent"] / 100) for _ in range(2 * pairs)]
    last = 2 * pairs - 1
    times = [
        data["base_ms"] * (1 + data["drift_percent"] / 100 * place / last + error) for place, error in enumerate(noise)
    ]
    blocks = ["off"] * pairs + ["on"] * pairs
    paired = [side for _ in range(pairs) for side in random.sample(["off", "on"], 2)]
    return (
        _of_launches("All of one side, then all of the other", blocks, times, boxed=False),
        _of_launches("Random pairs, one launch after the other", paired, times, boxed=True),
        _in_lockstep(data, times, random),
    )


def _of_launches(title: str, sides: Sequence[str], times: Sequence[float], boxed: bool) -> SimulatedPlan:
    turns = [SimulatedTurn(side, place, ms) for place, (side, ms) in enumerate(zip(sides, times, strict=True))]
    by_side = [[turn.ms for turn in turns if turn.side == side] for side in ("off", "on")]
    return SimulatedPlan(title, turns, list(zip(*by_side, strict=True)), boxed)


def _in_lockstep(data: dict[str, Any], times: Sequence[float], random: Random) -> SimulatedPlan:
    turns: list[SimulatedTurn] = []
    pairs: list[tuple[float, float]] = []
    rounds, scatter = data["rounds"], data["turn_noise_percent"] / 100
    for number in range(data["pairs"]):
        in_rounds: list[dict[int, float]] = []
        turns_of_round: list[str] = []
        for place in range(rounds):
            in_rounds.append({})
            turns_of_round = turns_of_round[::-1] if place % 2 else random.sample(["off", "on"], 2)
            for order, side in enumerate(turns_of_round):
                part = (2 * place + order) / (2 * rounds - 1)
                ms = times[2 * number + (part > 0.5)] * (1 + random.gauss(0, scatter))
                in_rounds[-1][("off", "on").index(side)] = ms
                turns.append(SimulatedTurn(side, 2 * number + part, ms))
        off, on = side_times_ns(in_rounds)
        pairs.append((off, on))
    return SimulatedPlan("Pairs in lockstep: both alive, taking turns", turns, pairs, boxed=True)


def pairs_and_drift(alt: str) -> Drawing:
    """Draw the launches of both plans in time, with what each plan concludes."""
    data = load("drift")
    card = Card(664)
    card.heading(
        30,
        "Three ways to run the same 16 launches",
        f"Simulated: no true difference; the machine slows by {data['drift_percent']:g} %",
    )
    card.legend(82, [("off", "off"), ("on", "on")])
    plans = simulate(data)
    times = [turn.ms for plan in plans for turn in plan.turns]
    for place, (plan, role) in enumerate(zip(plans, ("third", "fourth", "fourth"), strict=True)):
        _plan(card, 112 + 186 * place, plan, min(times), max(times), role)
    return card.finish("pairs-and-drift", alt)


def _plan(card: Card, y: float, plan: SimulatedPlan, low: float, high: float, role: str) -> None:
    measured = plan.estimate()
    low_end, high_end = measured.low, measured.high
    assert low_end is not None and high_end is not None  # there are pairs enough for an interval
    places = ratio_places(low_end, measured.speedup, high_end)
    told = " to ".join(fixed(end, places) for end in (low_end, high_end))
    card.line(MARGIN, y - 6, WIDTH - MARGIN, y - 6, "rule")
    card.text(MARGIN, y + 14, plan.title, size=15.5, bold=True)
    left, launches = MARGIN + 20, 2 * len(plan.pairs)
    pitch = (WIDTH - 2 * MARGIN - 40) / (launches - 1)
    for number in range(0, launches, 2) if plan.boxed else ():
        card.panel(left + number * pitch - 11, y + 32, pitch + 22, 96, "track", radius=6)
    size = 12 if len(plan.turns) == launches else 4
    for turn in plan.turns:
        card.dot(left + turn.at * pitch, y + 116 - 74 * (turn.ms - low) / (high - low), size, turn.side)
    excludes = low_end > 1 or high_end < 1
    card.dot(MARGIN + 6, y + 150, 11, role)
    card.text(
        MARGIN + 20,
        y + 150,
        f"{fixed(measured.speedup, places)}× ({told}): "
        + ("the drift looks like a difference" if excludes else "no difference shown"),
        size=15,
        bold=True,
    )
