# SPDX-License-Identifier: Apache-2.0
"""Why launches are paired: the same simulated machine measured in blocks and in pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from model_profiling.paired_statistics import Estimate, estimate
from model_profiling.report.svg import Drawing
from model_profiling.rounding import fixed, ratio_places
from tools.figures.card import MARGIN, WIDTH, Card
from tools.figures.data import load


@dataclass(frozen=True)
class SimulatedLaunch:
    """One simulated launch: its side, and its latency in ms."""

    side: str
    ms: float


def simulate(data: dict[str, Any]) -> tuple[list[SimulatedLaunch], list[SimulatedLaunch]]:
    """Return launches in blocks and in random pairs on one machine: the same drift, the same noise.

    Both sides take the same time, so whatever differs between them is the machine.
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
        [SimulatedLaunch(side, ms) for side, ms in zip(blocks, times, strict=True)],
        [SimulatedLaunch(side, ms) for side, ms in zip(paired, times, strict=True)],
    )


def speedup(launches: Sequence[SimulatedLaunch]) -> Estimate:
    """Return the kit's estimate, the n-th launch of one side paired with the n-th of the other."""
    return estimate(
        [launch.ms for launch in launches if launch.side == "off"],
        [launch.ms for launch in launches if launch.side == "on"],
    )


def pairs_and_drift(alt: str) -> Drawing:
    """Draw the launches of both plans in time, with what each plan concludes."""
    data = load("drift")
    card = Card(478)
    card.heading(
        30,
        "Two ways to run the same 16 launches",
        f"Simulated: no true difference; the machine slows by {data['drift_percent']:g} %",
    )
    card.legend(82, [("off", "off"), ("on", "on")])
    blocks, paired = simulate(data)
    times = [launch.ms for launch in blocks]
    low, high = min(times), max(times)
    _plan(card, 112, "All of one side, then all of the other", blocks, False, low, high, "third")
    _plan(card, 298, "Random pairs", paired, True, low, high, "fourth")
    return card.finish("pairs-and-drift", alt)


def _plan(
    card: Card,
    y: float,
    title: str,
    launches: Sequence[SimulatedLaunch],
    paired: bool,
    low: float,
    high: float,
    role: str,
) -> None:
    measured = speedup(launches)
    low_end, high_end = measured.low, measured.high
    assert low_end is not None and high_end is not None  # there are pairs enough for an interval
    places = ratio_places(low_end, measured.speedup, high_end)
    told = " to ".join(fixed(end, places) for end in (low_end, high_end))
    card.line(MARGIN, y - 6, WIDTH - MARGIN, y - 6, "rule")
    card.text(MARGIN, y + 14, title, size=15.5, bold=True)
    left = MARGIN + 20
    pitch = (WIDTH - 2 * MARGIN - 40) / (len(launches) - 1)
    for number in range(0, len(launches), 2) if paired else ():
        card.panel(left + number * pitch - 11, y + 32, pitch + 22, 96, "track", radius=6)
    for number, launch in enumerate(launches):
        card.dot(left + number * pitch, y + 116 - 74 * (launch.ms - low) / (high - low), 12, launch.side)
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
