# SPDX-License-Identifier: Apache-2.0
"""What is said of the category that takes the most time; what follows the colon is each reader's own."""

from __future__ import annotations

from model_profiling.analysis.comparing.comparison import BASELINE, CANDIDATE, Comparison


def stayed(category: str) -> str:
    return f"{category} takes the most time on both sides"


def moved(before: str, after: str) -> str:
    return f"The bottleneck moves from {before} to {after}"


def bottleneck_sentence(compared: Comparison) -> str | None:
    """Say which category dominates on each side of a comparison, None without traces."""
    sides = compared.traced.bottleneck if compared.traced else {}
    before, after = sides.get(BASELINE), sides.get(CANDIDATE)
    if not before or not after:
        return None
    was = f"{before.percent:.0f} % with {compared.baseline}"
    becomes = f"{after.percent:.0f} % with {compared.candidate}"
    if before.category == after.category:
        return f"{stayed(before.category)}: {was}, {becomes}"
    return moved(f"{before.category} ({was})", f"{after.category} ({becomes})")
