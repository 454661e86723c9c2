# SPDX-License-Identifier: Apache-2.0
"""Make the pairs of a run in order, void pairs again, more pairs while the stop rule asks."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence

from model_profiling.console import progress, say
from model_profiling.paired_statistics import MAX_ADAPTIVE_PAIRS, Estimate, estimate, wants_more_pairs
from model_profiling.pipeline.config import LOCKSTEP, QUICK_PAIRS, Config
from model_profiling.pipeline.devices import Device
from model_profiling.pipeline.launching import Executions, Launcher, Outcome, Place, PreparedExperiment
from model_profiling.pipeline.manifest import Manifest
from model_profiling.pipeline.pair_launching import PairLauncher
from model_profiling.pipeline.run_directory import Launch, RunDirectory, newest_attempts
from model_profiling.pipeline.schedule import MAX_REDOS, Pair, plan_pair_index
from model_profiling.wording import count, duration

#: What tells of progress; the launches of a pair that stand, by experiment.
Advance = Callable[[str], object]
Held = dict[str, Launch]


class Timing:
    """The pairs of one run while it lasts: what is planned, what is done, what comes next.

    `manifest` has the plan of how they are measured, `deadline` is on the monotonic clock.
    """

    def __init__(
        self,
        directory: RunDirectory,
        device: Device,
        config: Config,
        manifest: Manifest,
        prepared: Mapping[str, PreparedExperiment],
        launcher: Launcher,
        deadline: float | None = None,
    ) -> None:
        assert manifest.plan is not None
        self._device, self._config, self._manifest, self._plan = device, config, manifest, manifest.plan
        self._prepared, self._launcher = prepared, launcher
        self._deadline, self._longest_s = deadline, 0.0
        self._seed, self._pairs = manifest.seed, manifest.pairs
        self._launches = directory.read_launches()
        self._pair_launcher = PairLauncher(launcher, device, self._seed, self._plan)

    def to_the_end(self) -> int:
        """Make the pairs that are planned, then more while the precision asked for needs them.

        Returns how many of those that are planned were made before `deadline`.
        """
        say(self._sentence())
        planned = [plan_pair_index(self._config, self._seed, index) for index in range(self._pairs)]
        with progress("profiling", sum(len(p.experiments) for pairs in planned for p in pairs)) as advance:
            for index, pairs in enumerate(planned):
                if self._late():
                    say(f"the time budget ends this run after {count(index, 'pair')}")
                    return index
                self._timed_complete(pairs, advance)
        self._add_pairs()
        return self._pairs

    def _timed_complete(self, pairs: Sequence[Pair], advance: Advance) -> None:
        began = time.monotonic()
        for pair in pairs:
            self._complete(pair, advance)
        self._longest_s = max(self._longest_s, time.monotonic() - began)

    def _late(self) -> bool:
        """Whether another pair may not end before the deadline."""
        return self._deadline is not None and time.monotonic() + self._longest_s > self._deadline

    def _add_pairs(self) -> None:
        """Make more pairs while the precision asked for needs them."""
        index = self._pairs
        while self._wants_more(index) and not self._late():
            extra = plan_pair_index(self._config, self._seed, index)
            with progress("more pairs for the precision asked", sum(len(p.experiments) for p in extra)) as advance:
                self._timed_complete(extra, advance)
            index += 1
        if self._manifest.precision_percent is not None and any(
            wants_more_pairs(e, self._manifest.precision_percent, index + 1) for e in self._estimates()
        ):
            say(f"the precision of {self._manifest.precision_percent:g} % was not reached with {index} pairs")

    def _sentence(self) -> str:
        """Say how pairs are measured and how long all of them are expected to take."""
        seconds = self._plan.expected_s(self._config.timed, self._pairs)
        how = "that take turns" if self._plan.order == LOCKSTEP else "one after the other"
        because = f" ({self._plan.reason})" if self._plan.reason else ""
        long = "" if self._device.emulated else f", about {duration(seconds)}"
        asked = QUICK_PAIRS if self._manifest.quick else self._config.pairs
        pairs = count(asked, "pair") if self._pairs == asked else f"{self._pairs} of {count(asked, 'pair')}"
        return f"{pairs} of processes {how}{because}{long}"

    def _complete(self, pair: Pair, advance: Advance) -> None:
        """Make the launches of a pair that are missing; make a void pair again, a few times."""
        attempt, held = self._standing(pair)
        while True:
            if len(held) < len(pair.experiments):
                self._device.settle()
            if self._plan.order == LOCKSTEP:
                held = self._together(pair, attempt, held, advance)
            else:
                held = self._one_after_the_other(pair, attempt, held, advance)
            reasons = [launch.void for launch in held.values() if launch.void]
            if not reasons or attempt >= MAX_REDOS or self._late():
                return
            say(f"pair {pair.index + 1} is void ({reasons[0]}): made again, {attempt + 1} of {MAX_REDOS}")
            attempt, held, advance = attempt + 1, {}, lambda text: None

    def _together(self, pair: Pair, attempt: int, held: Held, advance: Advance) -> Held:
        """Make all launches of a pair at once; one that is not whole is made again as a whole."""
        names = pair.order(self._seed)
        if set(held) != set(names):
            members = [
                (self._prepared[name], Place(pair.index, pair.threads, attempt, order, len(self._launches) + order))
                for order, name in enumerate(names)
            ]
            outcomes = self._pair_launcher.launch(members, {name: self._rivals(name) for name in names})
            self._launches += [outcome.launch for outcome in outcomes]
            held = {outcome.launch.experiment: outcome.launch for outcome in outcomes}
        for name in names:
            advance(f"{_title(pair, name)}: {_figure(held[name])}")
        return held

    def _one_after_the_other(self, pair: Pair, attempt: int, held: Held, advance: Advance) -> Held:
        """Make the launches of a pair that are missing."""
        outcomes: list[Outcome] = []
        held = dict(held)
        for order, name in enumerate(pair.order(self._seed)):
            if name in held:
                advance(f"{_title(pair, name)}: done before")
                continue
            outcome = self._launch(pair, attempt, order, name, outcomes)
            outcomes.append(outcome)
            held[name] = outcome.launch
            advance(f"{_title(pair, name)}: {_figure(outcome.launch)}")
        return held

    def _rivals(self, name: str) -> set[str]:
        """Return the experiments that one is compared with, and itself."""
        return {n for couple in self._config.compare_pairs if name in couple for n in couple}

    def _standing(self, pair: Pair) -> tuple[int, dict[str, Launch]]:
        """Return the attempt that a pair is at, and the launches of it that stand."""
        newest = newest_attempts(self._launches).get((pair.threads, pair.index), [])
        attempt = newest[0].attempt if newest else 0
        held = {launch.experiment: launch for launch in newest if launch.ok}
        if self._plan.order == LOCKSTEP and 0 < len(held) < len(pair.experiments):
            return attempt + 1, {}  # the kit was killed while it recorded: sides of one pair ran together
        return attempt, held

    def _launch(self, pair: Pair, attempt: int, order: int, name: str, outcomes: Sequence[Outcome]) -> Outcome:
        rivals = self._rivals(name)
        place = Place(pair.index, pair.threads, attempt, order, len(self._launches))
        experiment = self._config.experiment(name)
        executions = Executions(self._plan.executions(experiment, pair.threads), self._plan.traced(experiment))
        partners = [o for o in outcomes if o.launch.experiment in rivals]
        outcome = self._launcher.launch(self._prepared[name], place, executions, partners)
        self._launches.append(outcome.launch)
        return outcome

    def _wants_more(self, pairs: int) -> bool:
        precision = self._manifest.precision_percent
        if precision is None or pairs >= MAX_ADAPTIVE_PAIRS:
            return False
        return any(wants_more_pairs(result, precision) for result in self._estimates())

    def _estimates(self) -> Iterator[Estimate]:
        counting: dict[tuple[str, int], dict[int, Launch]] = {}
        for block in newest_attempts(self._launches).values():
            if all(launch.counts for launch in block):
                for launch in block:
                    counting.setdefault((launch.experiment, launch.threads), {})[launch.pair] = launch
        for baseline, candidate in self._config.compare_pairs:
            for threads in self._config.experiment(baseline).threads:
                first, second = counting.get((baseline, threads), {}), counting.get((candidate, threads), {})
                common = sorted(first.keys() & second.keys())
                if common:
                    yield estimate(
                        [first[p].execution_ns for p in common],
                        [second[p].execution_ns for p in common],
                        [first[p].order < second[p].order for p in common],
                    )


def _title(pair: Pair, name: str) -> str:
    return f"pair {pair.index + 1}, {count(pair.threads, 'thread')}, {name}"


def _figure(launch: Launch) -> str:
    return f"{launch.execution_ns / 1e6:.3f} ms" + (" (void)" if launch.void else "")
