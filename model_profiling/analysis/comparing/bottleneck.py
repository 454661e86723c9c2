# SPDX-License-Identifier: Apache-2.0
"""Which category takes the most time, and which grows."""

from __future__ import annotations

from collections.abc import Mapping


def dominant(categories: Mapping[str, float]) -> tuple[str, float] | None:
    """Return the category that takes most of the time and its share in percent, None without time.

    `categories` holds times in one unit, or shares.
    """
    total = sum(categories.values())
    if total <= 0:
        return None
    name = max(sorted(categories), key=lambda key: categories[key])
    return name, 100 * categories[name] / total


def most_grown(baseline_ms: Mapping[str, float], candidate_ms: Mapping[str, float]) -> str | None:
    """Return the category whose share of the time grows most, None where none grows by a percent."""
    if sum(baseline_ms.values()) <= 0 or sum(candidate_ms.values()) <= 0:
        return None
    growth = {
        name: share(candidate_ms, name) - share(baseline_ms, name) for name in baseline_ms.keys() & candidate_ms.keys()
    }
    name = max(sorted(growth), key=lambda key: growth[key], default=None)
    return name if name is not None and growth[name] >= 1 else None


def share(categories_ms: Mapping[str, float], name: str) -> float:
    """Return a category's share of all categories' time, in percent."""
    return 100 * categories_ms[name] / sum(categories_ms.values())


def share_not_attributed(attributed_percent: float) -> float:
    """Return which share of the operators' time is tied to no layer, in percent."""
    return 100 - attributed_percent
