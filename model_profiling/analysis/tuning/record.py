# SPDX-License-Identifier: Apache-2.0
"""What a tuning has tried, as values: a line of its journal each, and together its result, tuning.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

from model_profiling.analysis.comparing.comparison import Interval
from model_profiling.analysis.traces.operators import FRAMEWORK_OVERHEAD
from model_profiling.json_objects import JsonObject
from model_profiling.paired_statistics import FASTER

SCHEMA_VERSION = 1
#: Stages of a comparison: few pairs first, more where these leave it open, and at the end once more against plain.
FEW, MORE, FINAL = "few", "more", "final"
#: Of plain with itself, for the noise floor of this machine.
CALIBRATION = "calibration"
STAGES = (CALIBRATION, FEW, MORE, FINAL)
#: The part of the time that operators outside XNNPACK take, which lies across the categories.
OUTSIDE = "outside XNNPACK"
#: A combination of rewrites, in the order of rewriting; that of plain has none.
Rewrites = tuple[str, ...]
PLAIN: Rewrites = ()


@dataclass(frozen=True)
class TuningAsked:
    """What is asked for: the rewrites to try, pairs of a full comparison, seconds for all, a noise floor before it."""

    rewrites: Rewrites
    pairs: int
    budget_s: float
    calibrate: bool = False


@dataclass(frozen=True)
class TriedProgram:
    """A combination that was exported, or whose export was refused: then `refused` says why, and it has no program.

    `applied` is how often each of its rewrites was. `takes_in` says of plain alone how many of its operators outside
    XNNPACK each rewrite takes in. `agrees` says whether it is within its recipe's limit.
    """

    rewrites: Rewrites
    seconds: float
    refused: str = ""
    sha256: str = ""
    bytes: int = 0
    delegates: int = 0
    outside: int = 0
    relative_error: float | None = None
    agrees: bool = False
    applied: Mapping[str, int] = field(default_factory=dict)
    takes_in: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def from_json(cls, held: JsonObject) -> TriedProgram:
        return cls(
            held.texts("rewrites"),
            held.number("seconds"),
            held.text("refused"),
            held.text("sha256"),
            held.whole("bytes"),
            held.whole("delegates"),
            held.whole("outside"),
            held.maybe_number("relative_error"),
            held.flag("agrees"),
            held.counts_by_name("applied"),
            held.counts_by_name("takes_in"),
        )

    def to_json(self) -> dict[str, object]:
        return {**asdict(self), "rewrites": list(self.rewrites)}


@dataclass(frozen=True)
class Trial:
    """A comparison of two programs in pairs; `speedup` is baseline over candidate time.

    `run` is its run directory, within the tuning's folder. `baseline_parts_ms` and `candidate_parts_ms` are where the
    time of each went, by category and as `OUTSIDE`. `gains_ms` is what each rewrite may save by the time that plain's
    operators outside XNNPACK took, known where plain is the baseline.
    """

    baseline: Rewrites
    candidate: Rewrites
    stage: str
    run: str
    seconds: float
    pairs: int
    speedup: float
    interval: Interval | None
    p_value: float | None
    noise_floor_percent: float | None
    verdict: str
    baseline_ms: float
    candidate_ms: float
    baseline_parts_ms: Mapping[str, float] = field(default_factory=dict)
    candidate_parts_ms: Mapping[str, float] = field(default_factory=dict)
    gains_ms: Mapping[str, float] = field(default_factory=dict)

    @property
    def faster(self) -> bool:
        """Whether the candidate is faster, beyond the noise."""
        return self.verdict == FASTER

    @property
    def without_outside(self) -> float | None:
        """How many times as fast the baseline would be with nothing outside XNNPACK and no overhead of the framework.

        By Amdahl's law, of traced times; None where nothing was traced, or nothing would be left.
        """
        parts = dict(self.baseline_parts_ms)
        gone = parts.pop(OUTSIDE, 0.0) + parts.get(FRAMEWORK_OVERHEAD, 0.0)
        whole = sum(parts.values())
        return whole / (whole - gone) if whole > gone else None

    @classmethod
    def from_json(cls, held: JsonObject) -> Trial:
        stage = held.text("stage")
        if stage not in STAGES:
            raise held.refused(f'"stage" is none of {", ".join(STAGES)}')
        return cls(
            held.texts("baseline"),
            held.texts("candidate"),
            stage,
            held.text("run"),
            held.number("seconds"),
            held.whole("pairs"),
            held.number("speedup"),
            Interval.from_json(held),
            held.maybe_number("p_value"),
            held.maybe_number("noise_floor_percent"),
            held.text("verdict"),
            held.number("baseline_ms"),
            held.number("candidate_ms"),
            held.numbers_by_name("baseline_parts_ms"),
            held.numbers_by_name("candidate_parts_ms"),
            held.numbers_by_name("gains_ms"),
        )

    def to_json(self) -> dict[str, object]:
        plain = {**asdict(self), "baseline": list(self.baseline), "candidate": list(self.candidate)}
        del plain["interval"]
        return {**plain, "ci95": self.interval and self.interval.to_json()}


@dataclass(frozen=True)
class Tried:
    """All that was tried so far, in order."""

    programs: tuple[TriedProgram, ...] = ()
    trials: tuple[Trial, ...] = ()

    @property
    def spent_s(self) -> float:
        return sum(one.seconds for one in self.programs) + sum(one.seconds for one in self.trials)

    def program(self, rewrites: Sequence[str]) -> TriedProgram | None:
        return next((one for one in self.programs if one.rewrites == tuple(rewrites)), None)

    def trial(self, baseline: Rewrites, candidate: Rewrites, stage: str) -> Trial | None:
        wanted = (baseline, candidate, stage)
        return next((one for one in self.trials if (one.baseline, one.candidate, one.stage) == wanted), None)


@dataclass(frozen=True)
class TuningOutcome:
    """How a tuning ended: the combination that it chose, why it ended (`strategy`'s reasons), the best ones in turn."""

    chosen: Rewrites
    reason: str
    kept: tuple[Rewrites, ...] = ()


@dataclass(frozen=True)
class Tuning:
    """The content of tuning.json: of what, how asked for, what was tried, what came of it."""

    model: str
    dtype: str
    threads: int
    asked: TuningAsked
    machine: Mapping[str, str]
    versions: Mapping[str, str]
    tried: Tried
    outcome: TuningOutcome

    @property
    def final(self) -> Trial | None:
        """The last comparison with plain of the best that was found."""
        return next((one for one in reversed(self.tried.trials) if one.stage == FINAL), None)

    @classmethod
    def from_json(cls, held: JsonObject) -> Tuning:
        if "schema_version" not in held or held.whole("schema_version") != SCHEMA_VERSION:
            raise held.refused("the result is of another version of the kit")
        asked, outcome = held.within("asked"), held.within("outcome")
        return cls(
            held.text("model"),
            held.text("dtype"),
            held.whole("threads"),
            TuningAsked(
                asked.texts("rewrites"), asked.whole("pairs"), asked.number("budget_s"), asked.flag("calibrate")
            ),
            _texts_by_name(held.within("machine")),
            _texts_by_name(held.within("versions")),
            Tried(
                tuple(map(TriedProgram.from_json, held.each("programs"))),
                tuple(map(Trial.from_json, held.each("trials"))),
            ),
            TuningOutcome(
                outcome.texts("chosen"),
                outcome.text("reason"),
                tuple(one.texts("rewrites") for one in outcome.each("kept")),
            ),
        )

    def to_json(self) -> dict[str, object]:
        return {
            "schema_version": SCHEMA_VERSION,
            "model": self.model,
            "dtype": self.dtype,
            "threads": self.threads,
            "asked": {**asdict(self.asked), "rewrites": list(self.asked.rewrites)},
            "machine": dict(self.machine),
            "versions": dict(self.versions),
            "outcome": {
                "chosen": list(self.outcome.chosen),
                "reason": self.outcome.reason,
                "kept": [{"rewrites": list(one)} for one in self.outcome.kept],
            },
            "programs": [one.to_json() for one in self.tried.programs],
            "trials": [one.to_json() for one in self.tried.trials],
        }


def _texts_by_name(held: JsonObject) -> dict[str, str]:
    return {name: held.text(name) for name in held.keys()}
