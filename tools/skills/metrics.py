# SPDX-License-Identifier: Apache-2.0
"""The figures that a skill expects: read from what a command prints, judged by the row's range."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tools.pages.reading.skill_form import Metric
from tools.pages.running.engine import EXECUTED, FAILED, Line

_NUMBER = re.compile(r"[\[({\"']*([-+]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?)[x%]?[\])}\"',;:.]*", re.IGNORECASE)


@dataclass(frozen=True)
class Measured:
    """One metric with its value. `inside` is None where its command did not run here."""

    metric: Metric
    line: Line
    value: float | None = None
    inside: bool | None = None


def value_of(output: str) -> float | None:
    """Return the last token of an output that is a number, None where there is none."""
    numbers = [match for match in map(_NUMBER.fullmatch, output.split()) if match]
    return float(numbers[-1][1].replace(",", "")) if numbers else None


def measured(metric: Metric, line: Line) -> Measured:
    """Judge a metric by what its command printed; one that failed or printed no number is outside its range."""
    if line.outcome == EXECUTED and line.result is not None:
        value = value_of(line.result.output)
        return Measured(
            metric, line, value, value is not None and metric.plausible is not None and metric.plausible.holds(value)
        )
    return Measured(metric, line, None, False if line.outcome == FAILED else None)
