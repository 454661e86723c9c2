# SPDX-License-Identifier: Apache-2.0
"""Hard-sigmoid in the type of the graph: torch computes them in float32, by whole numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from model_profiling.export.rewrite import FLOATS, Rewrite

if TYPE_CHECKING:
    import torch

    from model_profiling.export.graph_editor import GraphEditor


def edit(editor: GraphEditor, node: torch.fx.Node) -> bool:
    from model_profiling.models import export_friendly_functions as functions

    numbers = editor.number(1 / 6, node), editor.number(0.5, node)
    return editor.replace(node, functions.hard_sigmoid, node.args[0], *numbers)


REWRITE = Rewrite(
    name="hard-sigmoid",
    rank=100,
    replaces="aten.hardsigmoid",
    operators=("aten.hardsigmoid.default",),
    dtypes=FLOATS,
    bound=(1e-6, 2e-3),
    saves="Two conversions for each activation in float16, which split MobileNetV3 into 38 delegates.",
    edit=edit,
    hints=("hard-sigmoid",),
)
