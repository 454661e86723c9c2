# SPDX-License-Identifier: Apache-2.0
"""The plan: which launches are made in which order. Pure data, knowing nothing of how they run.

A pair holds one launch of every experiment that has its thread count (a block, when
there are more than two experiments). Of four pairs two have one order and two its opposite,
and a coin decides which: what being made first costs is then known beside the difference of
the sides (`paired_statistics.estimate`). Twos of opposite orders would do that as well, but
noise that outlasts a launch makes the ratios of such neighbors alike, and verdicts false too
often (simulated). Each order depends on the seed and the pair alone, so that a plan can be
extended, resumed or spread over devices without replaying anything.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

from model_profiling.pipeline.config import Config

_Value = TypeVar("_Value", int, str)

#: So many pairs after each other have either order equally often.
BALANCED_PAIRS = 4
#: A void pair is made again at most this often.
MAX_REDOS = 3


@dataclass(frozen=True)
class Pair:
    """One block of launches: pair number, thread count, and the experiments it launches."""

    index: int
    threads: int
    experiments: tuple[str, ...]

    def order(self, seed: int) -> tuple[str, ...]:
        """Return the experiments in the order that they are launched; a void pair is made again in the same."""
        key = (self.threads, self.index // BALANCED_PAIRS)
        first = shuffled(self.experiments, seed, "order", *key)
        turns = shuffled([number % 2 for number in range(BALANCED_PAIRS)], seed, "opposite", *key)
        return turned(first, turns[self.index % BALANCED_PAIRS])

    def order_by_itself(self, seed: int, attempt: int) -> tuple[str, ...]:
        """Return the order of runs of version 0.1, which threw a coin for each pair and attempt."""
        return shuffled(self.experiments, seed, "order", self.threads, self.index, attempt)


def plan_pair_index(config: Config, seed: int, index: int) -> list[Pair]:
    """Return the pairs numbered `index`: one for each thread count, in random order; timed experiments alone."""
    counts = shuffled({count for e in config.timed for count in e.threads}, seed, "threads", index)
    return [Pair(index, count, tuple(e.name for e in config.timed if count in e.threads)) for count in counts]


def plan(config: Config, seed: int, pairs: int) -> list[Pair]:
    """Return the whole plan, `pairs` pairs for each thread count."""
    return [pair for index in range(pairs) for pair in plan_pair_index(config, seed, index)]


def shuffled(values: Iterable[_Value], seed: int, *key: object) -> tuple[_Value, ...]:
    """Return values in the order that a coin gives them; `key` names what it is thrown for."""
    ordered = sorted(values)
    # A string seed is hashed with SHA-512 by `random`, the same on every platform and version.
    random.Random(":".join(map(str, (seed, *key)))).shuffle(ordered)
    return tuple(ordered)


def turned(values: tuple[_Value, ...], number: int) -> tuple[_Value, ...]:
    """Return values as they are, or from the last to the first where `number` is odd."""
    return values[::-1] if number % 2 else values
