# SPDX-License-Identifier: Apache-2.0
"""RMS normalization from a mean over four dimensions."""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Any

from model_profiling.export.rewrite import FLOATS, Rewrite

if TYPE_CHECKING:
    import torch

    from model_profiling.export.graph_editor import GraphEditor


def edit(editor: GraphEditor, node: torch.fx.Node) -> bool:
    import torch

    from model_profiling.export.normalization import epsilon_and_spread
    from model_profiling.models import export_friendly_functions as functions

    arguments: list[Any] = [*node.args, *[None] * 4]
    x, shape, weight, epsilon = arguments[:4]
    epsilon = torch.finfo(x.meta["val"].dtype).eps if epsilon is None else epsilon

    form = functools.partial(functions.rms_norm, width=math.prod(shape))
    return editor.replace(node, form, x, weight, *epsilon_and_spread(editor, epsilon, node))


REWRITE = Rewrite(
    name="rms-norm",
    rank=60,
    replaces="aten.rms_norm over the last dimensions",
    operators=("aten.rms_norm.default",),
    dtypes=FLOATS,
    bound=(1e-5, 1e-2),
    saves="Two operators outside for each normalization, in float16 two conversions more.",
    edit=edit,
    hints=("RMS norm",),
)
