# SPDX-License-Identifier: Apache-2.0
"""The numbers of a normalization in the type of a graph."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from model_profiling.export.graph_editor import GraphEditor

#: The smallest number of float16 that no processor flushes to 0.
_SMALLEST_ROOT = 2.0**-14


def epsilon_and_spread(
    editor: GraphEditor, epsilon: float, node: torch.fx.Node
) -> tuple[torch.fx.Node, torch.fx.Node | None]:
    """Return the root of a normalization's epsilon, and in float16 the divisor that keeps squares in range."""
    import torch

    from model_profiling.models import export_friendly_functions as functions

    if node.meta["val"].dtype != torch.float16:
        return editor.number(math.sqrt(epsilon), node), None
    return editor.number(max(math.sqrt(epsilon), _SMALLEST_ROOT), node), editor.number(functions.SPREAD, node)
