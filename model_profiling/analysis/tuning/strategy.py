# SPDX-License-Identifier: Apache-2.0
"""What a tuning does next, given all that it has tried. Pure: the same results give the same steps.

Every rewrite at once is tried against plain first: most models gain by most rewrites, and one export and one
comparison then stand for all. Where that is faster, each rewrite is left out in turn, the one that promises least
first; where it is not, or cannot be had, each is added to plain in turn, the one that promises most first. The best so
far is replaced only by one that agrees with the eager model and is faster than it beyond the noise. A comparison has
few pairs; where these leave open a gain that is worth it, one of as many pairs as were asked for decides alone, so
that looking twice makes no verdict more likely. What was chosen is compared with plain once more.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from model_profiling.analysis.tuning.record import (
    CALIBRATION,
    FEW,
    FINAL,
    MORE,
    PLAIN,
    Rewrites,
    Trial,
    Tried,
    TriedProgram,
    TuningAsked,
    TuningOutcome,
)
from model_profiling.paired_statistics import MIN_PAIRS_FOR_VERDICT, SLOWER

#: The first comparison of a candidate: as few pairs as give a verdict.
FEW_PAIRS = MIN_PAIRS_FOR_VERDICT
#: A speed-up below this is not worth the time of more pairs.
WORTH = 1.01
#: Why a tuning ended.
DONE, NOTHING_APPLIES, NOTHING_HELPS, UNCONFIRMED, BUDGET, NONE_AGREES = (
    "everything tried",
    "no rewrite applies",
    "nothing is faster",
    "not confirmed",
    "budget",
    "none agrees",
)


@dataclass(frozen=True)
class Export:
    """Export this combination."""

    rewrites: Rewrites


@dataclass(frozen=True)
class Measure:
    """Compare two programs in this many pairs."""

    baseline: Rewrites
    candidate: Rewrites
    pairs: int
    stage: str


Step = Export | Measure | TuningOutcome


def next_step(asked: TuningAsked, tried: Tried) -> Step:
    """Return what to do next, or how the tuning ended."""
    return _Search(asked, tried).next_step()


def most_left(asked: TuningAsked, tried: Tried) -> int:
    """Return how many combinations may still be tried, at most."""
    search = _Search(asked, tried)
    return 0 if isinstance(search.next_step(), TuningOutcome) else search.left


class _Stop(Exception):
    """The search needs this step, or has to end."""

    def __init__(self, step: Export | Measure | None) -> None:
        super().__init__()
        self.step = step


class _Search:
    """The search replayed over what was tried, up to the first step that was not."""

    def __init__(self, asked: TuningAsked, tried: Tried) -> None:
        self._asked, self._tried = asked, tried
        self._best: Rewrites = PLAIN
        self._kept: list[Rewrites] = []
        self._worse: set[str] = set()
        #: Combinations that may still be tried, at most.
        self.left = 1

    def next_step(self) -> Step:
        try:
            reason = self._search()
        except _Stop as stop:
            if stop.step is not None:
                return stop.step
            reason = BUDGET
        if self._best == PLAIN:
            plain = self._tried.program(PLAIN)
            return TuningOutcome(PLAIN, reason if plain is None or plain.agrees else NONE_AGREES)
        final = self._tried.trial(PLAIN, self._best, FINAL)
        if final is None:
            return Measure(PLAIN, self._best, self._asked.pairs, FINAL)
        plain = self._tried.program(PLAIN)
        if not final.faster and plain is not None and plain.agrees:
            return TuningOutcome(PLAIN, UNCONFIRMED, tuple(self._kept))
        return TuningOutcome(self._best, reason, tuple(self._kept))

    def _search(self) -> str:
        """Walk the combinations; return why it ended, or raise `_Stop`."""
        plain = self._exported(PLAIN)
        if not self._asked.rewrites:
            return NOTHING_APPLIES
        every = self._exported(self._asked.rewrites)
        if every.sha256 == plain.sha256 and not every.refused:
            return NOTHING_APPLIES
        if self._asked.calibrate and self._tried.trial(PLAIN, PLAIN, CALIBRATION) is None:
            raise _Stop(Measure(PLAIN, PLAIN, self._asked.pairs, CALIBRATION))
        applying = self._asked.rewrites
        if every.applied:
            applying = tuple(name for name in applying if every.applied.get(name))
        self.left = len(applying)
        candidates = self._leaving_out(applying) if self._better(self._asked.rewrites) else self._adding(applying)
        for candidate in candidates:
            self._better(candidate)
            self.left -= 1
        if self._best == PLAIN:
            return NOTHING_HELPS
        return DONE

    def _leaving_out(self, applying: Rewrites) -> Iterator[Rewrites]:
        """Yield the best so far without each of its rewrites, the one that promises least first."""
        for name in sorted(applying, key=self._promise):
            yield tuple(one for one in applying if one in self._best and one != name)

    def _adding(self, applying: Rewrites) -> Iterator[Rewrites]:
        """Yield the best so far with one rewrite more, the one that promises most first."""
        for name in sorted(applying, key=self._promise, reverse=True):
            yield tuple(one for one in self._asked.rewrites if one in self._best or one == name)

    def _promise(self, name: str) -> tuple[float, int]:
        """Return what a rewrite may save, by what was outside XNNPACK in plain: its ms, else how many operators."""
        gains = next((one.gains_ms for one in self._tried.trials if one.baseline == PLAIN and one.gains_ms), {})
        plain = self._tried.program(PLAIN)
        return gains.get(name, 0.0), 0 if plain is None else plain.takes_in.get(name, 0)

    def _better(self, candidate: Rewrites) -> bool:
        """Tell whether a candidate takes the place of the best so far; it then has."""
        if candidate == self._best:
            return False
        program = self._exported(candidate)
        if program.refused or not program.agrees or program.sha256 in self._worse:
            return False
        best = self._exported(self._best)
        # Plain that does not agree is no program to ship, however fast it is.
        if program.sha256 == best.sha256 or (best.agrees and not self._faster(candidate)):
            self._worse.add(program.sha256)
            return False
        self._worse.add(best.sha256)
        self._best = candidate
        self._kept.append(candidate)
        return True

    def _faster(self, candidate: Rewrites) -> bool:
        few = self._measured(candidate, FEW_PAIRS, FEW)
        if few.faster or few.verdict == SLOWER or self._asked.pairs < FEW_PAIRS:
            return few.faster
        if few.speedup <= 1 or (few.interval and few.interval.high < WORTH):
            return False
        return self._measured(candidate, self._asked.pairs, MORE).faster

    def _exported(self, rewrites: Rewrites) -> TriedProgram:
        program = self._tried.program(rewrites)
        if program is not None:
            return program
        longest = max((one.seconds for one in self._tried.programs), default=0.0)
        self._need(Export(rewrites), longest + FEW_PAIRS * self._pair_s)
        raise _Stop(Export(rewrites))

    def _measured(self, candidate: Rewrites, pairs: int, stage: str) -> Trial:
        trial = self._tried.trial(self._best, candidate, stage)
        if trial is not None:
            return trial
        step = Measure(self._best, candidate, pairs, stage)
        self._need(step, pairs * self._pair_s)
        raise _Stop(step)

    def _need(self, step: Export | Measure, seconds: float) -> None:
        """End the search where a step does not leave the time for the last comparison; the first ones are made."""
        if len(self._tried.programs) < 2 and isinstance(step, Export):
            return
        if self._tried.spent_s + seconds + self._asked.pairs * self._pair_s > self._asked.budget_s:
            raise _Stop(None)

    @property
    def _pair_s(self) -> float:
        """Seconds of a pair, by the newest comparison; 0 where none was made."""
        return next((one.seconds / max(one.pairs, 1) for one in reversed(self._tried.trials)), 0.0)
