# SPDX-License-Identifier: Apache-2.0
"""What rates of operations are counted in: only those on floating-point numbers are FLOP."""

from __future__ import annotations

from collections.abc import Iterable

#: Recipes whose layers compute in floating point; of a program that nothing is recorded of, it is taken for granted.
_FLOATING_POINT = frozenset(("fp32", "fp16", ""))


def rate_unit(recipes: Iterable[str]) -> str:
    """Return the unit of 10^9 operations a second in programs of these recipes."""
    return "GFLOP/s" if _FLOATING_POINT.issuperset(recipes) else "GOP/s"
