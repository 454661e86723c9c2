# SPDX-License-Identifier: Apache-2.0
"""What an analyzed run came to, as values: the content of analysis_summary.json."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TypeVar

from model_profiling.analysis.advice.amdahl import Sme2Bound
from model_profiling.analysis.advice.largest import LargestKind
from model_profiling.analysis.advice.opportunity import Opportunity
from model_profiling.analysis.comparing.comparison import Comparison
from model_profiling.analysis.comparing.latency import SixNumbers
from model_profiling.analysis.kernels.entries import KernelEntry, read_entry
from model_profiling.json_objects import JsonObject
from model_profiling.pipeline.run_directory import RunDirectory
from model_profiling.unpaired_statistics import time_interval

SCHEMA_VERSION = 1
_MS_PER_S = 1e3
AGAIN = "run analyze_results.py again to write it anew"

_Value = TypeVar("_Value")


class ByExperiment(Mapping[str, Mapping[int, _Value]]):
    """Values by experiment and thread count, in the configuration's order."""

    def __init__(self, values: Iterable[tuple[str, int, _Value]] = ()) -> None:
        self._values: dict[str, dict[int, _Value]] = {}
        for experiment, threads, value in values:
            self._values.setdefault(experiment, {})[threads] = value

    def __getitem__(self, experiment: str) -> Mapping[int, _Value]:
        return self._values[experiment]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def entries(self) -> Iterator[tuple[str, int, _Value]]:
        """Yield (experiment, threads, value)."""
        for experiment, by_threads in self._values.items():
            for threads, value in by_threads.items():
                yield experiment, threads, value

    @classmethod
    def from_json(cls, held: JsonObject, read: Callable[[JsonObject], _Value]) -> ByExperiment[_Value]:
        return cls(
            (experiment, _thread_count(held, text), read(inner))
            for experiment, by_threads in held.by_name()
            for text, inner in by_threads.by_name()
        )

    def to_json(self, plain: Callable[[_Value], object]) -> dict[str, dict[str, object]]:
        return {
            experiment: {str(threads): plain(value) for threads, value in by_threads.items()}
            for experiment, by_threads in self._values.items()
        }


@dataclass(frozen=True)
class TracedTimes:
    """Where the time of traced executions went, in ms of one.

    Category times are mean shares of the traced executions times `time_ms`, so that they sum to it
    exactly: the geometric mean over launches of their median traced execution. `attributed_percent`
    says how much of the operators' time is tied to a layer, None where layers are not known. Overheads
    and what follows them are None where an older version of the kit left them out.
    """

    categories_ms: Mapping[str, float]
    delegated_ms: float
    portable_ms: float
    delegate_overhead_ms: float | None
    operator_overhead_ms: float | None
    latency_ms: SixNumbers
    time_ms: float
    executions: int
    unmapped_operators: tuple[str, ...]
    attributed_percent: float | None

    @classmethod
    def from_json(cls, held: JsonObject) -> TracedTimes | None:
        if "categories_ms" not in held:
            return None
        return cls(
            held.numbers_by_name("categories_ms"),
            held.number("delegated_ms"),
            held.number("portable_ms"),
            held.maybe_number("delegate_overhead_ms"),
            held.maybe_number("operator_overhead_ms"),
            numbers := SixNumbers.from_json(held.within("traced_latency_ms")),
            held.maybe_number("traced_time_ms") or numbers.median,
            held.whole("traced_executions"),
            held.texts("unmapped_operators"),
            held.maybe_number("attributed_percent"),
        )

    def to_json(self) -> dict[str, object]:
        return {
            "categories_ms": dict(self.categories_ms),
            "delegated_ms": self.delegated_ms,
            "portable_ms": self.portable_ms,
            "delegate_overhead_ms": self.delegate_overhead_ms,
            "operator_overhead_ms": self.operator_overhead_ms,
            "traced_latency_ms": self.latency_ms.to_json(),
            "traced_time_ms": self.time_ms,
            "traced_executions": self.executions,
            "unmapped_operators": list(self.unmapped_operators),
            "attributed_percent": self.attributed_percent,
        }


_UNTRACED: Mapping[str, None] = {"categories_ms": None, "delegated_ms": None, "portable_ms": None}


@dataclass(frozen=True)
class TokenRate:
    """What an execution of a language model computes: so many tokens, in `time_ms`, `per_second`.

    The ends of the 95 % intervals, over launches, are None where a single launch gives none.
    """

    tokens: int
    time_ms: float
    time_low_ms: float | None
    time_high_ms: float | None
    per_second: float
    low: float | None
    high: float | None

    @classmethod
    def of(cls, tokens: int, times_ms: Sequence[float]) -> TokenRate:
        """Return the rate from the time of an execution in each launch."""
        time_ms, (low, high) = statistics.geometric_mean(times_ms), time_interval(times_ms) or (None, None)

        def rate(milliseconds: float | None) -> float | None:
            return None if milliseconds is None else tokens * _MS_PER_S / milliseconds

        return cls(tokens, time_ms, low, high, tokens * _MS_PER_S / time_ms, rate(high), rate(low))

    @classmethod
    def from_json(cls, held: JsonObject) -> TokenRate:
        return cls(
            held.whole("tokens"),
            held.number("time_ms"),
            held.maybe_number("time_low_ms"),
            held.maybe_number("time_high_ms"),
            held.number("per_second"),
            held.maybe_number("low"),
            held.maybe_number("high"),
        )


@dataclass(frozen=True)
class ExperimentSummary:
    """One experiment at one thread count: medians over launches, `traced` None where nothing was traced.

    `time_ms` is the geometric mean over launches of the time of an execution: of two experiments that are compared,
    the two have their speed-up as ratio. None in what an older version of the kit wrote.
    """

    latency_ms: SixNumbers
    time_ms: float | None
    launches: int
    executions: int
    load_ms: float | None
    peak_rss_mib: float | None
    tracer_overhead_percent: float | None
    traced: TracedTimes | None
    token_rate: TokenRate | None = None
    sme2_bound: Sme2Bound | None = None

    @classmethod
    def from_json(cls, held: JsonObject) -> ExperimentSummary:
        return cls(
            SixNumbers.from_json(held.within("latency_ms")),
            held.maybe_number("time_ms"),
            held.whole("launches"),
            held.whole("executions"),
            held.maybe_number("load_ms"),
            held.maybe_number("peak_rss_mib"),
            held.maybe_number("tracer_overhead_percent"),
            TracedTimes.from_json(held),
            TokenRate.from_json(held.within("token_rate")) if "token_rate" in held else None,
            Sme2Bound.from_json(held.within("sme2_bound")) if "sme2_bound" in held else None,
        )

    def to_json(self) -> dict[str, object]:
        return {
            "latency_ms": self.latency_ms.to_json(),
            "time_ms": self.time_ms,
            "launches": self.launches,
            "executions": self.executions,
            "load_ms": self.load_ms,
            "peak_rss_mib": self.peak_rss_mib,
            "tracer_overhead_percent": self.tracer_overhead_percent,
            **(self.traced.to_json() if self.traced else _UNTRACED),
            **({"token_rate": asdict(self.token_rate)} if self.token_rate else {}),
            **({"sme2_bound": self.sme2_bound.to_json()} if self.sme2_bound else {}),
        }


@dataclass(frozen=True)
class AnalysisSummary:
    """What a run came to: every experiment, every comparison, every launch that recorded kernels."""

    model: str
    feature: str | None
    experiments: ByExperiment[ExperimentSummary]
    comparisons: tuple[Comparison, ...]
    kernels: ByExperiment[KernelEntry]
    opportunities: tuple[Opportunity, ...] = ()
    largest: tuple[LargestKind, ...] = ()
    schema_version: int = SCHEMA_VERSION

    @classmethod
    def from_json(cls, held: JsonObject) -> AnalysisSummary:
        """Read it; the model must be there and the version this one.

        Raises
        ------
        UserError : another version, or a key of another shape; the message names it.
        """
        model = read_model(held)
        kernels = held.maybe_within("kernels")
        return cls(
            model,
            held.maybe_text("feature"),
            ByExperiment.from_json(held.within("experiments"), ExperimentSummary.from_json),
            tuple(map(Comparison.from_json, held.each("comparisons"))),
            ByExperiment.from_json(kernels, read_entry) if kernels else ByExperiment(),
            tuple(map(Opportunity.from_json, held.each("opportunities"))) if "opportunities" in held else (),
            tuple(map(LargestKind.from_json, held.each("largest"))) if "largest" in held else (),
        )

    @classmethod
    def read(cls, directory: RunDirectory) -> AnalysisSummary:
        """Read the summary of an analyzed run; raises as `from_json`."""
        return cls.from_json(JsonObject.read(directory.analysis_summary, AGAIN))

    def to_json(
        self, kernel_entry: Callable[[KernelEntry], object], opportunity: Callable[[Opportunity], object]
    ) -> dict[str, object]:
        """Return the content of analysis_summary.json; the two functions give entries that have words in them."""
        return {
            "schema_version": self.schema_version,
            "model": self.model,
            "feature": self.feature,
            "experiments": self.experiments.to_json(ExperimentSummary.to_json),
            "comparisons": [comparison.to_json() for comparison in self.comparisons],
            **({"kernels": self.kernels.to_json(kernel_entry)} if self.kernels else {}),
            **({"opportunities": list(map(opportunity, self.opportunities))} if self.opportunities else {}),
            **({"largest": [one.to_json() for one in self.largest]} if self.largest else {}),
        }


def read_model(held: JsonObject) -> str:
    """Return the model that a result of this version is of.

    Raises
    ------
    UserError : the result is of another version.
    """
    if "schema_version" not in held or held.whole("schema_version") != SCHEMA_VERSION:
        raise held.refused("the result is of another version of the kit")
    return held.text("model")


def _thread_count(held: JsonObject, text: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise held.refused(f'"{text}" is no number of threads')
    return int(text)
