# SPDX-License-Identifier: Apache-2.0
"""Layer normalization from means over four dimensions."""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Any

from model_profiling.export.rewrite import FLOATS, Rewrite

if TYPE_CHECKING:
    import torch

    from model_profiling.export.graph_editor import GraphEditor


def edit(editor: GraphEditor, node: torch.fx.Node) -> bool:
    from model_profiling.export.normalization import epsilon_and_spread
    from model_profiling.models import export_friendly_functions as functions

    arguments: list[Any] = [*node.args, *[None] * 5]
    x, shape, weight, bias = arguments[:4]
    epsilon = 1e-5 if arguments[4] is None else arguments[4]

    form = functools.partial(functions.layer_norm, width=math.prod(shape))
    return editor.replace(node, form, x, weight, bias, *epsilon_and_spread(editor, epsilon, node))


REWRITE = Rewrite(
    name="layer-norm",
    rank=50,
    replaces="aten.layer_norm over the last dimensions",
    operators=("aten.layer_norm.default",),
    dtypes=FLOATS,
    bound=(1e-5, 1e-2),
    saves="One operator outside and one split of the graph for each normalization; in float16 it stays in range.",
    edit=edit,
    hints=("layer norm",),
)
