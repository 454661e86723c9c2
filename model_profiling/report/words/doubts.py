# SPDX-License-Identifier: Apache-2.0
"""Sentences on what makes a run's numbers less certain, for the screen, the summaries and the report alike."""

from __future__ import annotations

from collections.abc import Sequence

from model_profiling.wording import count, listed


def not_compared(baseline: str, candidate: str) -> str:
    """Say that two sides have no pair in common."""
    return f"{baseline} and {candidate} share no complete pair of launches, so they are not compared."


def drifted(where: str, percent: float) -> str:
    """Say by how many percent launches became slower, or faster where `percent` is negative."""
    return f"{where}: launches became {abs(percent):.0f} % {'slower' if percent > 0 else 'faster'} over the run."


def did_not_count(void: int, launches: int) -> str:
    """Say how many launches are void."""
    return f"{count(void, 'launch')} of {launches} did not count, and neither did the rest of their pairs."


def without_category(names: Sequence[str]) -> str:
    """Say which operators the kit does not know; the sentence begins in lower case."""
    return f"operators without a category of their own, counted as Other: {listed(names)}."
