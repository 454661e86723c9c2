# SPDX-License-Identifier: Apache-2.0
"""How a run is measured, decided once before its first pair: the order, how much work a launch does, how long it takes.

Rests on one process of each side (`sizing`). Kept in the manifest, so that a run that is resumed goes on as it began.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from model_profiling.json_objects import JsonObject
from model_profiling.pipeline.config import LOCKSTEP, Experiment
from model_profiling.pipeline.lockstep.turn_plan import (
    COUNTED_TRACED,
    FEWEST_ROUNDS,
    STRETCH,
    TurnPlan,
    Work,
    plan_turns,
)

#: What `"runs": "auto"` asks for: enough that the noise of a single execution does not matter.
AUTO_WORK = Work(executions=20, ns=300_000_000)
_NS_PER_S = 1e9


@dataclass(frozen=True)
class SideSize:
    """What one process showed: ns of an execution when warm, ns until it was warm, bytes of memory at most."""

    execution_ns: int
    ready_ns: int
    peak_rss_bytes: int | None

    @classmethod
    def from_json(cls, plain: JsonObject) -> SideSize:
        return cls(plain.whole("execution_ns"), plain.whole("ready_ns"), plain.maybe_whole("peak_rss_bytes"))


@dataclass(frozen=True)
class RunPlan:
    """The order with the reason for it ("" where there is none to tell), and each side's size by threads and name.

    `pair_ns` is the wall time for the turns of a pair, or for the executions of all its launches; 0 asks for the
    fewest rounds. `most_traced` limits the traced executions of a launch where the time is short.
    """

    order: str
    reason: str
    pair_ns: int
    sizes: Mapping[int, Mapping[str, SideSize]]
    most_traced: int | None = None

    def to_json(self) -> dict[str, object]:
        sizes = {
            str(threads): {name: asdict(size) for name, size in by_name.items()}
            for threads, by_name in self.sizes.items()
        }
        plain = {"order": self.order, "reason": self.reason, "pair_ns": self.pair_ns, "sizes": sizes}
        return plain if self.most_traced is None else {**plain, "most_traced": self.most_traced}

    @classmethod
    def from_json(cls, plain: JsonObject) -> RunPlan:
        sizes = {
            int(threads): {name: SideSize.from_json(size) for name, size in by_name.by_name()}
            for threads, by_name in plain.within("sizes").by_name()
        }
        most = plain.maybe_whole("most_traced")
        return cls(plain.text("order"), plain.text("reason"), plain.whole("pair_ns"), sizes, most)

    def turns(self, experiments: Sequence[Experiment], threads: int) -> TurnPlan:
        """Return the turns of a pair of these experiments."""
        times = {e.name: self.sizes[threads][e.name].execution_ns for e in experiments}
        return plan_turns(times, {e.name: work_of(e) for e in experiments}, self.pair_ns)

    def executions(self, experiment: Experiment, threads: int) -> int:
        """Return how many timed executions a launch makes that takes no turns."""
        if isinstance(experiment.runs, int):
            return experiment.runs
        ns = max(self.sizes[threads][experiment.name].execution_ns, 1)
        wanted, budget_ns = work_of(experiment).counted(ns), self.pair_ns // 2
        if wanted * ns > budget_ns:
            budget_ns *= STRETCH
        return max(FEWEST_ROUNDS, min(wanted, budget_ns // ns))

    def traced(self, experiment: Experiment) -> int:
        """Return how many traced executions of a launch count."""
        return min(experiment.traced_runs, self.most_traced or experiment.traced_runs)

    def expected_s(self, experiments: Sequence[Experiment], pairs: int) -> float:
        """Return how many seconds `pairs` pairs for each thread count are expected to take."""
        return pairs * sum(self.pair_s(having, threads) for threads, having in by_threads(experiments).items())

    def pair_s(self, experiments: Sequence[Experiment], threads: int) -> float:
        """Return how many seconds a pair of these experiments is expected to take."""
        sizes = self.sizes[threads]
        ready_ns = sum(sizes[e.name].ready_ns * (2 if self.traced(e) else 1) for e in experiments)
        times = {name: size.execution_ns for name, size in sizes.items()}
        if self.order == LOCKSTEP:
            plan = self.turns(experiments, threads)
            work_ns = plan.duration_ns(times)
            turns = {e.name: -(-self.traced(e) // COUNTED_TRACED) for e in experiments}
            traced = {e.name: self.traced(e) + plan.left_out * turns[e.name] for e in experiments}
        else:
            work_ns = sum(self.executions(e, threads) * times[e.name] for e in experiments)
            traced = {e.name: self.traced(e) for e in experiments}
        traced_ns = sum(count * times[name] for name, count in traced.items())
        return (ready_ns + work_ns + traced_ns) / _NS_PER_S


def work_of(experiment: Experiment) -> Work:
    """Return what a side does at least: `AUTO_WORK`, or the executions that its configuration names."""
    return Work(experiment.runs) if isinstance(experiment.runs, int) else AUTO_WORK


def by_threads(experiments: Sequence[Experiment]) -> dict[int, list[Experiment]]:
    """Return the experiments that have each thread count, the fewest threads first."""
    counts = sorted({count for e in experiments for count in e.threads})
    return {count: [e for e in experiments if count in e.threads] for count in counts}
