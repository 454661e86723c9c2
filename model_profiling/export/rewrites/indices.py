# SPDX-License-Identifier: Apache-2.0
"""Indexing by constants that picks every value once and in order, as the view that it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from model_profiling.export.rewrite import Rewrite

if TYPE_CHECKING:
    import torch

    from model_profiling.export.graph_editor import GraphEditor


def edit(editor: GraphEditor, node: torch.fx.Node) -> bool:
    """Replace the index if its result is the source reshaped; `transformers` makes masks of batches like that."""
    import torch

    arguments: tuple[Any, ...] = node.args
    x, given = arguments[:2]
    values = [None if one is None else editor.value_of(one) for one in given]
    if any(one is not None and value is None for one, value in zip(given, values, strict=True)):
        return False
    places = torch.arange(x.meta["val"].numel()).reshape(x.meta["val"].shape)
    picked = torch.ops.aten.index.Tensor(places, values)
    if picked.shape != node.meta["val"].shape or not torch.equal(picked.reshape(-1), places.reshape(-1)):
        return False
    shape = list(picked.shape)
    return editor.replace(node, lambda x: x.reshape(shape), x)


REWRITE = Rewrite(
    name="indices",
    rank=15,
    replaces="aten.index by constants that picks every value once and in order",
    operators=("aten.index.Tensor",),
    dtypes=(),
    bound=(0.0, 0.0),
    saves="The look-ups around an attention's mask in models of transformers.",
    edit=edit,
)
