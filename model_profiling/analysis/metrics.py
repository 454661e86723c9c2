# SPDX-License-Identifier: Apache-2.0
"""Robust statistics of a run, launch by launch, as values: the content of metrics.json."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from model_profiling.analysis.comparing.latency import LatencyStatistics, classify_outliers, describe
from model_profiling.analysis.comparing.sides import MeasuredSide, launch_median_ms
from model_profiling.analysis.summary import AGAIN, SCHEMA_VERSION, ByExperiment, read_model
from model_profiling.json_objects import JsonObject
from model_profiling.pipeline.run_directory import Launch, RunDirectory


@dataclass(frozen=True)
class LaunchMetrics:
    """A launch that counts: its place in the run, its median execution, its class if it is an outlier."""

    pair: int
    attempt: int
    index: int
    median_ms: float
    outlier: str | None

    @classmethod
    def from_json(cls, held: JsonObject) -> LaunchMetrics:
        return cls(
            held.whole("pair"),
            held.whole("attempt"),
            held.whole("index"),
            held.number("median_ms"),
            held.maybe_text("outlier"),
        )


@dataclass(frozen=True)
class VoidLaunch:
    """A launch that was disturbed, and by what."""

    pair: int
    attempt: int
    reason: str

    @classmethod
    def from_json(cls, held: JsonObject) -> VoidLaunch:
        return cls(held.whole("pair"), held.whole("attempt"), held.text("reason"))


@dataclass(frozen=True)
class FailedLaunch:
    """A launch that failed, and how it ended."""

    pair: int
    attempt: int
    exit_code: int | None
    signal: str | None

    @classmethod
    def from_json(cls, held: JsonObject) -> FailedLaunch:
        return cls(held.whole("pair"), held.whole("attempt"), held.maybe_whole("exit_code"), held.maybe_text("signal"))


@dataclass(frozen=True)
class ExperimentMetrics:
    """One experiment at one thread count; drift is in percent of its level, over the run."""

    latency: LatencyStatistics
    launches: tuple[LaunchMetrics, ...]
    drift_percent: float
    void: tuple[VoidLaunch, ...]
    failed: tuple[FailedLaunch, ...]

    @classmethod
    def from_json(cls, held: JsonObject) -> ExperimentMetrics:
        return cls(
            LatencyStatistics.from_json(held.within("latency")),
            tuple(map(LaunchMetrics.from_json, held.each("launches"))),
            held.number("drift_percent"),
            tuple(map(VoidLaunch.from_json, held.each("void"))),
            tuple(map(FailedLaunch.from_json, held.each("failed"))),
        )

    def to_json(self) -> dict[str, object]:
        return asdict(self)


@dataclass(frozen=True)
class Metrics:
    """The content of metrics.json."""

    model: str
    experiments: ByExperiment[ExperimentMetrics]
    schema_version: int = SCHEMA_VERSION

    @classmethod
    def from_json(cls, held: JsonObject) -> Metrics:
        """Read it.

        Raises
        ------
        UserError : another version, or a key of another shape; the message names it.
        """
        model = read_model(held)
        return cls(model, ByExperiment.from_json(held.within("experiments"), ExperimentMetrics.from_json))

    @classmethod
    def read(cls, directory: RunDirectory) -> Metrics:
        """Read the metrics of an analyzed run; raises as `from_json`."""
        return cls.from_json(JsonObject.read(directory.metrics, AGAIN))

    def to_json(self) -> dict[str, object]:
        return {
            "schema_version": self.schema_version,
            "model": self.model,
            "experiments": self.experiments.to_json(ExperimentMetrics.to_json),
        }


def metrics_of(model: str, sides: Sequence[MeasuredSide], launches: Sequence[Launch]) -> Metrics:
    """Return robust statistics of every side, its launches with their flags, and those that do not count."""
    return Metrics(model, ByExperiment((s.experiment, s.threads, _side_metrics(s, launches)) for s in sides))


def _side_metrics(side: MeasuredSide, launches: Sequence[Launch]) -> ExperimentMetrics:
    medians = [launch_median_ms(launch) for launch in side.launches]
    own = [x for x in launches if (x.experiment, x.threads) == (side.experiment, side.threads)]
    return ExperimentMetrics(
        describe(side.latencies_ms),
        tuple(
            LaunchMetrics(launch.pair, launch.attempt, launch.index, median, outlier)
            for launch, median, outlier in zip(side.launches, medians, classify_outliers(medians), strict=True)
        ),
        side.drift_percent(),
        tuple(VoidLaunch(x.pair, x.attempt, x.void) for x in own if x.void),
        tuple(FailedLaunch(x.pair, x.attempt, x.exit_code, x.signal) for x in own if not x.ok),
    )
