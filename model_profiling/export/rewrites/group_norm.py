# SPDX-License-Identifier: Apache-2.0
"""Group and instance normalization from means over four dimensions."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from model_profiling.export.rewrite import FLOATS, Rewrite
from model_profiling.models.graph_places import operator_of

if TYPE_CHECKING:
    import torch

    from model_profiling.export.graph_editor import GraphEditor


def edit(editor: GraphEditor, node: torch.fx.Node) -> bool:
    from model_profiling.export.normalization import epsilon_and_spread
    from model_profiling.models import export_friendly_functions as functions

    arguments: list[Any] = [*node.args, *[None] * 8]
    if "instance_norm" in operator_of(node):
        x, weight, bias, epsilon = arguments[0], arguments[1], arguments[2], arguments[7]
        groups = x.meta["val"].shape[1]
        if not arguments[5]:
            return False  # by running statistics: a batch normalization
    else:
        x, groups, weight, bias, epsilon = arguments[:5]

    form = functools.partial(functions.group_norm, groups=groups)
    epsilon = 1e-5 if epsilon is None else epsilon
    return editor.replace(node, form, x, weight, bias, *epsilon_and_spread(editor, epsilon, node))


REWRITE = Rewrite(
    name="group-norm",
    rank=70,
    replaces="aten.group_norm and aten.instance_norm",
    operators=("aten.group_norm.default", "aten.instance_norm.default"),
    dtypes=FLOATS,
    bound=(1e-5, 1e-2),
    saves="One operator outside for each normalization; more passes over the data, so measure where it is large.",
    edit=edit,
    hints=("group norm", "instance norm"),
)
