# SPDX-License-Identifier: Apache-2.0
"""What `--list-rewrites` prints."""

from __future__ import annotations

from model_profiling.console import say
from model_profiling.export.rewrites import rewrites


def print_rewrites() -> None:
    """Print each rewrite with what it replaces, its types and its bound; two lines more say what it saves."""
    for rewrite in rewrites().values():
        say(rewrite.name)
        say(f"  replaces  {rewrite.replaces}")
        say(f"  types     {' and '.join(rewrite.dtypes) or 'any'}")
        say(f"  agrees    {_bound(rewrite.bound)}")
        say(f"  saves     {rewrite.saves}")


def _bound(bound: tuple[float, float]) -> str:
    if not any(bound):
        return "exactly, for finite values"
    return f"within {bound[0]:g} in float32 and {bound[1]:g} in float16"
