# SPDX-License-Identifier: Apache-2.0
"""Robust statistics of latencies, and flags for odd values: flagged and kept, never dropped."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import ArrayLike

from model_profiling.json_objects import JsonObject

#: Tukey's fences in interquartile ranges; criterion.rs calls what lies beyond them mild and
#: severe outliers (https://bheisler.github.io/criterion.rs/book/analysis.html).
MILD_FENCE_IQR, SEVERE_FENCE_IQR = 1.5, 3.0
#: Modified z-score above which a value is odd (Iglewicz and Hoaglin, "How to Detect and
#: Handle Outliers", 1993), and the factor that makes MAD estimate a normal's sigma.
MODIFIED_Z_LIMIT, MAD_TO_SIGMA = 3.5, 1.4826
#: Quartiles of fewer values say nothing about outliers.
MIN_VALUES_FOR_OUTLIERS = 5

CLASSES = ("low severe", "low mild", "high mild", "high severe")


@dataclass(frozen=True)
class SixNumbers:
    """Latencies in ms: median, mean, 10th and 90th percentile, minimum and maximum."""

    median: float
    mean: float
    p10: float
    p90: float
    min: float
    max: float

    @property
    def half_spread(self) -> float:
        """Half the range from the 10th to the 90th percentile."""
        return (self.p90 - self.p10) / 2

    @classmethod
    def from_json(cls, held: JsonObject) -> SixNumbers:
        return cls(*(held.number(key) for key in cls.__dataclass_fields__))

    def to_json(self) -> dict[str, float]:
        return {key: getattr(self, key) for key in self.__dataclass_fields__}


@dataclass(frozen=True)
class LatencyStatistics:
    """Summary of latencies in ms; `coefficient_of_variation` and `robust_variation` are in percent.

    `mad_ms` is the median absolute deviation; `robust_variation` is its estimate of sigma
    over the median, which a few slow executions do not move. `outliers` counts values beyond
    Tukey's fences by class, `mad_outliers` those whose modified z-score is over 3.5.
    """

    count: int
    median: float
    mean: float
    p10: float
    p90: float
    min: float
    max: float
    p25: float
    p75: float
    mad_ms: float
    coefficient_of_variation: float
    robust_variation: float
    outliers: dict[str, int]
    mad_outliers: int

    @classmethod
    def from_json(cls, held: JsonObject) -> LatencyStatistics:
        return cls(
            count=held.whole("count"),
            **{key: held.number(key) for key in _NUMBERS},
            outliers=held.counts_by_name("outliers"),
            mad_outliers=held.whole("mad_outliers"),
        )

    def to_json(self) -> dict[str, object]:
        return asdict(self)


_NUMBERS = (*SixNumbers.__dataclass_fields__, "p25", "p75", "mad_ms", "coefficient_of_variation", "robust_variation")


def six_numbers(values_ms: ArrayLike) -> SixNumbers:
    """Return median, mean, 10th and 90th percentile, minimum and maximum of latencies in ms."""
    values = np.asarray(values_ms, float)
    p10, median, p90 = np.percentile(values, (10, 50, 90)).tolist()
    return SixNumbers(median, float(values.mean()), p10, p90, float(values.min()), float(values.max()))


def classify_outliers(values: ArrayLike) -> list[str | None]:
    """Return for each value its class of `CLASSES`, None for those within the fences.

    None does not mean that a value is right, only that the others do not make it odd.
    """
    data = np.asarray(values, float)
    if len(data) < MIN_VALUES_FOR_OUTLIERS:
        return [None] * len(data)
    low, high = np.percentile(data, (25, 75))
    mild, severe = MILD_FENCE_IQR * (high - low), SEVERE_FENCE_IQR * (high - low)
    codes = np.select(
        [data < low - severe, data < low - mild, data > high + severe, data > high + mild], [0, 1, 3, 2], -1
    )
    return [CLASSES[code] if code >= 0 else None for code in codes.tolist()]


def mad_outliers(values: ArrayLike) -> list[bool]:
    """Return which values have a modified z-score over 3.5; none where most values are equal."""
    data = np.asarray(values, float)
    distance = np.abs(data - np.median(data)) if len(data) else data
    mad = float(np.median(distance)) if len(data) >= MIN_VALUES_FOR_OUTLIERS else 0.0
    if mad == 0:
        return [False] * len(data)
    return [value / (MAD_TO_SIGMA * mad) > MODIFIED_Z_LIMIT for value in distance.tolist()]


def describe(values_ms: ArrayLike) -> LatencyStatistics:
    """Summarize latencies in ms.

    Raises
    ------
    ValueError : no value is given.
    """
    values = np.asarray(values_ms, float)
    if not len(values):
        raise ValueError("no latencies to describe")
    median, mean = float(np.median(values)), float(values.mean())
    mad = float(np.median(np.abs(values - median)))
    p25, p75 = np.percentile(values, (25, 75)).tolist()
    classes = classify_outliers(values)
    spread = float(values.std(ddof=1)) if len(values) > 1 else 0.0
    return LatencyStatistics(
        count=len(values),
        **six_numbers(values).to_json(),
        p25=p25,
        p75=p75,
        mad_ms=mad,
        coefficient_of_variation=100 * spread / mean if mean else 0.0,
        robust_variation=100 * MAD_TO_SIGMA * mad / median if median else 0.0,
        outliers={name: classes.count(name) for name in CLASSES},
        mad_outliers=sum(mad_outliers(values)),
    )
