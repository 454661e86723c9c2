# SPDX-License-Identifier: Apache-2.0
"""SiLU in the type of the graph: torch computes it in float32."""

from __future__ import annotations

from typing import TYPE_CHECKING

from model_profiling.export.rewrite import Rewrite

if TYPE_CHECKING:
    import torch

    from model_profiling.export.graph_editor import GraphEditor


def edit(editor: GraphEditor, node: torch.fx.Node) -> bool:
    from model_profiling.models import export_friendly_functions as functions

    return editor.replace(node, functions.silu, node.args[0])


REWRITE = Rewrite(
    name="silu",
    rank=90,
    replaces="aten.silu",
    operators=("aten.silu.default",),
    dtypes=("float16",),
    bound=(1e-6, 2e-3),
    saves="Two conversions to float32 and back for each activation in float16.",
    edit=edit,
    hints=("silu",),
)
