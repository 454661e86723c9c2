# SPDX-License-Identifier: Apache-2.0
"""What comparing two experiments gives: one entry of `comparisons` in analysis_summary.json, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from model_profiling.json_objects import JsonObject

BASELINE, CANDIDATE = SIDES = ("baseline", "candidate")


@dataclass(frozen=True)
class Interval:
    """The 95 % interval of a ratio."""

    low: float
    high: float

    def __contains__(self, ratio: float) -> bool:
        return self.low <= ratio <= self.high

    @classmethod
    def of(cls, low: float | None, high: float | None) -> Interval | None:
        """Return the interval, None where an estimate has no ends."""
        return None if low is None or high is None else cls(low, high)

    @classmethod
    def from_json(cls, held: JsonObject) -> Interval | None:
        """Read an entry's "ci95"."""
        ends = held.maybe_numbers("ci95")
        if ends is not None and len(ends) != 2:
            raise held.refused('"ci95" has not two ends')
        return None if ends is None else cls(*ends)

    def to_json(self) -> list[float]:
        return [self.low, self.high]


@dataclass(frozen=True)
class Bottleneck:
    """The category that takes the most time on one side, and its share in percent."""

    category: str
    percent: float

    @classmethod
    def from_json(cls, held: JsonObject) -> Bottleneck:
        return cls(held.text("category"), held.number("percent"))

    def to_json(self) -> dict[str, object]:
        return {"category": self.category, "percent": self.percent}


@dataclass(frozen=True)
class OperatorCost:
    """What operators of one kind cost on one side: ms in one execution, us of a call, calls in one execution.

    `relative_spread` is half the range from the 10th to the 90th percentile of calls, over their median.
    """

    ms: float
    call_us: float
    calls: float
    relative_spread: float

    @classmethod
    def from_json(cls, held: JsonObject, side: str) -> OperatorCost | None:
        if f"{side}_ms" not in held:
            return None
        return cls(*(held.number(f"{side}_{key}") for key in cls.__dataclass_fields__))


@dataclass(frozen=True)
class OperatorComparison:
    """Operators of one kind on both sides, None where a side has none; `speedup` is None where nothing supports one."""

    name: str
    category: str
    delegated: bool
    baseline: OperatorCost | None
    candidate: OperatorCost | None
    speedup: float | None
    interval: Interval | None
    p_value: float | None
    verdict: str
    slower: bool

    @classmethod
    def from_json(cls, held: JsonObject) -> OperatorComparison:
        return cls(
            held.text("name"),
            held.text("category"),
            held.flag("delegated"),
            OperatorCost.from_json(held, BASELINE),
            OperatorCost.from_json(held, CANDIDATE),
            held.maybe_number("speedup"),
            Interval.from_json(held),
            held.maybe_number("p_value"),
            held.text("verdict"),
            held.flag("slower"),
        )

    def to_json(self) -> dict[str, object]:
        entry: dict[str, object] = {"name": self.name, "category": self.category, "delegated": self.delegated}
        for side, cost in zip(SIDES, (self.baseline, self.candidate), strict=True):
            entry |= {f"{side}_{key}": cost and getattr(cost, key) for key in OperatorCost.__dataclass_fields__}
        return entry | {
            "speedup": self.speedup,
            "ci95": self.interval and self.interval.to_json(),
            "p_value": self.p_value,
            "verdict": self.verdict,
            "slower": self.slower,
        }


@dataclass(frozen=True)
class LayerComparison:
    """A layer on both sides: us of one execution, the median over launches, None where it did not run.

    Of two programs `of_sides` names the layers of each in its own table, none where the other side's has no partner
    there; several are compared as one. It is None of one program, whose layers have one name. `multiply_adds` is 0
    too where the two sides do not have as many.
    """

    layer: str
    multiply_adds: int
    baseline_us: float | None
    candidate_us: float | None
    speedup: float | None
    interval: Interval | None
    p_value: float | None
    verdict: str
    of_sides: tuple[tuple[str, ...], tuple[str, ...]] | None = None

    def names_on(self, candidate: bool) -> tuple[str, ...]:
        """Return the layers that a side's own table has of it."""
        return (self.layer,) if self.of_sides is None else self.of_sides[candidate]

    @property
    def alone(self) -> bool:
        """Whether the layer of one side has no partner on the other."""
        return self.of_sides is not None and not all(self.of_sides)

    @classmethod
    def from_json(cls, held: JsonObject) -> LayerComparison:
        two = f"{BASELINE}_layers" in held
        return cls(
            held.text("layer"),
            held.whole("multiply_adds"),
            held.maybe_number("baseline_us"),
            held.maybe_number("candidate_us"),
            held.maybe_number("speedup"),
            Interval.from_json(held),
            held.maybe_number("p_value"),
            held.text("verdict"),
            (held.texts(f"{BASELINE}_layers"), held.texts(f"{CANDIDATE}_layers")) if two else None,
        )

    def to_json(self) -> dict[str, object]:
        sides = zip(SIDES, self.of_sides, strict=True) if self.of_sides else ()
        return {
            "layer": self.layer,
            "multiply_adds": self.multiply_adds,
            "baseline_us": self.baseline_us,
            "candidate_us": self.candidate_us,
            "speedup": self.speedup,
            "ci95": self.interval and self.interval.to_json(),
            "p_value": self.p_value,
            "verdict": self.verdict,
            **{f"{side}_layers": list(names) for side, names in sides},
        }


@dataclass(frozen=True)
class TracedComparison:
    """What traces add to a comparison: the bottleneck by side, operators, and layers where the model's are known."""

    bottleneck: Mapping[str, Bottleneck | None]
    operators: tuple[OperatorComparison, ...]
    layers: tuple[LayerComparison, ...] | None

    @classmethod
    def from_json(cls, held: JsonObject) -> TracedComparison | None:
        if "bottleneck" not in held:
            return None
        sides = held.within("bottleneck")
        return cls(
            {name: Bottleneck.from_json(sides.within(name)) if name in sides else None for name in SIDES},
            tuple(map(OperatorComparison.from_json, held.each("operators"))) if "operators" in held else (),
            tuple(map(LayerComparison.from_json, held.each("layers"))) if "layers" in held else None,
        )

    def to_json(self) -> dict[str, object]:
        entry: dict[str, object] = {
            "bottleneck": {name: side and side.to_json() for name, side in self.bottleneck.items()},
            "operators": [operator.to_json() for operator in self.operators],
        }
        return entry if self.layers is None else entry | {"layers": [layer.to_json() for layer in self.layers]}


@dataclass(frozen=True)
class Comparison:
    """A baseline against a candidate at one thread count; `speedup` is baseline over candidate time.

    `interval` and `p_value` are None with one pair, `traced` where a side recorded no traces. `models` are the names
    of both sides' programs, None where they ran the same.
    """

    baseline: str
    candidate: str
    threads: int
    pairs: int
    speedup: float
    interval: Interval | None
    p_value: float | None
    noise_floor_percent: float | None
    verdict: str
    traced: TracedComparison | None
    models: tuple[str, str] | None = None

    @property
    def operators(self) -> tuple[OperatorComparison, ...]:
        return () if self.traced is None else self.traced.operators

    @property
    def layers(self) -> tuple[LayerComparison, ...]:
        """The layers, none where they are not known."""
        return () if self.traced is None else self.traced.layers or ()

    @classmethod
    def from_json(cls, held: JsonObject) -> Comparison:
        models = held.texts("models") if "models" in held else ()
        if models and len(models) != len(SIDES):
            raise held.refused('"models" are not those of two sides')
        return cls(
            held.text("baseline"),
            held.text("candidate"),
            held.whole("threads"),
            held.whole("pairs"),
            held.number("speedup"),
            Interval.from_json(held),
            held.maybe_number("p_value"),
            held.maybe_number("noise_floor_percent"),
            held.text("verdict"),
            TracedComparison.from_json(held),
            (models[0], models[1]) if models else None,
        )

    def to_json(self) -> dict[str, object]:
        return {
            "baseline": self.baseline,
            "candidate": self.candidate,
            "threads": self.threads,
            "pairs": self.pairs,
            "speedup": self.speedup,
            "ci95": self.interval and self.interval.to_json(),
            "p_value": self.p_value,
            "noise_floor_percent": self.noise_floor_percent,
            "verdict": self.verdict,
            **({"models": list(self.models)} if self.models else {}),
            **(self.traced.to_json() if self.traced else {}),
        }
