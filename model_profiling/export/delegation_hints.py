# SPDX-License-Identifier: Apache-2.0
"""Known fixes for operators that stay outside XNNPACK. The first row that fits is given.

Every row is verified by real exports (`test-cases/export/test_hints.py`): before the fix the operator is
outside for the row's reason, after it fewer operators are. `export_friendly` is
`model_profiling.models.export_friendly`. Rows were found on ExecuTorch 1.5.1.
"""

from __future__ import annotations

from model_profiling.export.hint_row import HintRow
from model_profiling.export.hints_of_layers import OF_LAYERS
from model_profiling.export.hints_of_tensors import OF_TENSORS
from model_profiling.export.rewrites import rewrite_for

HINTS = (*OF_LAYERS, *OF_TENSORS)


def row_for(operator: str, reason: str = "", origin: str = "") -> HintRow | None:
    """Return the first row that fits an operator outside XNNPACK, or None."""
    return next((row for row in HINTS if row.fits(operator, reason, origin)), None)


def hint_for(operator: str, reason: str = "", origin: str = "") -> str:
    """Return what to try for an operator, and its cost; an empty string where nothing is known."""
    row = row_for(operator, reason, origin)
    if row is None:
        return ""
    rewrite = rewrite_for(row.name)
    return f"--rewrite {rewrite.name}, or by hand: {row.text}" if rewrite else row.text


def rewrite_name(operator: str, reason: str = "", origin: str = "") -> str:
    """Return the name of the rewrite that takes an operator in, "" where there is none."""
    row = row_for(operator, reason, origin)
    rewrite = rewrite_for(row.name) if row else None
    return rewrite.name if rewrite else ""
