# SPDX-License-Identifier: Apache-2.0
"""Robust statistics of latencies, and flags for odd values: flagged and kept, never dropped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

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

    def to_json(self) -> dict[str, object]:
        return asdict(self)


def six_numbers(values_ms: Sequence[float]) -> dict[str, float]:
    """Return median, mean, 10th and 90th percentile, minimum and maximum of latencies in ms."""
    values = np.asarray(values_ms, float)
    p10, median, p90 = np.percentile(values, (10, 50, 90)).tolist()
    return {
        "median": median,
        "mean": float(values.mean()),
        "p10": p10,
        "p90": p90,
        "min": float(values.min()),
        "max": float(values.max()),
    }


def classify_outliers(values: Sequence[float]) -> list[str | None]:
    """Return for each value its class of `CLASSES`, None for those within the fences.

    None does not mean that a value is right, only that the others do not make it odd.
    """
    data = np.asarray(values, float)
    if len(data) < MIN_VALUES_FOR_OUTLIERS:
        return [None] * len(data)
    low, high = np.percentile(data, (25, 75))
    mild, severe = MILD_FENCE_IQR * (high - low), SEVERE_FENCE_IQR * (high - low)
    found = np.select(
        [data < low - severe, data < low - mild, data > high + severe, data > high + mild], [0, 1, 3, 2], -1
    )
    return [CLASSES[code] if code >= 0 else None for code in found.tolist()]


def mad_outliers(values: Sequence[float]) -> list[bool]:
    """Return which values have a modified z-score over 3.5; none where most values are equal."""
    data = np.asarray(values, float)
    distance = np.abs(data - np.median(data)) if len(data) else data
    mad = float(np.median(distance)) if len(data) >= MIN_VALUES_FOR_OUTLIERS else 0.0
    if mad == 0:
        return [False] * len(data)
    return (distance / (MAD_TO_SIGMA * mad) > MODIFIED_Z_LIMIT).tolist()


def describe(values_ms: Sequence[float]) -> LatencyStatistics:
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
        **six_numbers(values),
        p25=p25,
        p75=p75,
        mad_ms=mad,
        coefficient_of_variation=100 * spread / mean if mean else 0.0,
        robust_variation=100 * MAD_TO_SIGMA * mad / median if median else 0.0,
        outliers={name: classes.count(name) for name in CLASSES},
        mad_outliers=sum(mad_outliers(values)),
    )
