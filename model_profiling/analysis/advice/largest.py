# SPDX-License-Identifier: Apache-2.0
"""The kind of layer that takes the most time of a program, whatever it is: what is said of it first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from model_profiling.analysis.comparing.sides import MeasuredSide
from model_profiling.analysis.traces.layers import Layer, LayerStats
from model_profiling.json_objects import JsonObject

_OPERATIONS_PER_MULTIPLY_ADD = 2
_US_PER_MS = 1e3


@dataclass(frozen=True)
class LargestKind:
    """Layers of one kind in an experiment at a thread count.

    `kind` is as people call them ("7x7 depthwise conv"), `ran_as` the operators that computed them, `ms` their time
    in a traced execution, `percent` that of the execution; `gflops` is None where they compute nothing.
    """

    experiment: str
    threads: int
    kind: str
    layers: int
    ran_as: tuple[str, ...]
    ms: float
    percent: float
    gflops: float | None

    @classmethod
    def from_json(cls, held: JsonObject) -> LargestKind:
        return cls(
            held.text("experiment"),
            held.whole("threads"),
            held.text("kind"),
            held.whole("layers"),
            held.texts("ran_as"),
            held.number("ms"),
            held.number("percent"),
            held.maybe_number("gflops"),
        )

    def to_json(self) -> Mapping[str, object]:
        return {**vars(self), "ran_as": list(self.ran_as)}


def largest_kind(side: MeasuredSide) -> LargestKind | None:
    """Return the kind of layer that takes the most time of a traced side; None where its layers are not known."""
    kinds: dict[str, list[LayerStats]] = {}
    for stats in side.layer_stats:
        kinds.setdefault(kind_of(stats.layer), []).append(stats)
    if not kinds:
        return None
    kind = max(kinds, key=lambda name: _percent(kinds[name]))
    of_kind = kinds[kind]
    ms = sum(stats.cost.median_us for stats in of_kind) / _US_PER_MS
    work = sum(stats.layer.multiply_adds for stats in of_kind)
    return LargestKind(
        side.experiment,
        side.threads,
        kind,
        len(of_kind),
        tuple(dict.fromkeys(stats.cost.operators for stats in of_kind)),
        ms,
        _percent(of_kind),
        _OPERATIONS_PER_MULTIPLY_ADD * work / (ms * 1e6) if work and ms else None,
    )


def kind_of(layer: Layer) -> str:
    """Return what people call a layer's kind: "7x7 depthwise conv", "linear", "native_layer_norm outside XNNPACK"."""
    if not layer.delegated:
        return f"{layer.kind.partition('.')[0]} outside XNNPACK"
    return layer.detail.partition(",")[0]


def _percent(of_kind: Sequence[LayerStats]) -> float:
    return sum(stats.cost.pct_of_run for stats in of_kind)
