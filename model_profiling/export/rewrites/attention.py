# SPDX-License-Identifier: Apache-2.0
"""Attention as two batched products and a softmax; a mask of truth values as numbers that are added."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from model_profiling.export.masks import finite, numbers
from model_profiling.export.rewrite import FLOATS, Rewrite

if TYPE_CHECKING:
    import torch

    from model_profiling.export.graph_editor import GraphEditor


def edit(editor: GraphEditor, node: torch.fx.Node) -> bool:
    from model_profiling.models import export_friendly_functions as functions

    names = ("query", "key", "value", "attn_mask", "dropout_p", "is_causal")
    given: dict[str, Any] = {**dict(zip(names, node.args, strict=False)), **node.kwargs}
    q, k, v = given["query"], given["key"], given["value"]
    if given.get("dropout_p") or len({one.meta["val"].dim() for one in (q, k, v)}) > 1 or q.meta["val"].dim() < 3:
        return False
    mask = given.get("attn_mask")
    if mask is not None:
        mask = _added(editor, mask, node)
        if mask is None:
            return False
    elif given.get("is_causal"):
        mask = _causal(editor, q.meta["val"].shape[-2], k.meta["val"].shape[-2], node)
    scale = given.get("scale") or 1 / math.sqrt(q.meta["val"].shape[-1])
    return editor.replace(node, functions.attention, q, k, v, editor.number(scale, node), mask)


def _added(editor: GraphEditor, mask: torch.fx.Node, node: torch.fx.Node) -> torch.fx.Node | None:
    """Return what is added to the scores, None where a mask of truth values is computed from real numbers."""
    import torch

    from model_profiling.models import export_friendly_functions as functions

    if mask.meta["val"].dtype != torch.bool:
        return _finite(editor, mask)
    keep = numbers(editor, mask, node)
    if keep is None:
        return None
    one, far = editor.number(1.0, node), editor.number(-functions.HIDDEN, node)
    made: torch.fx.Node = editor.insert(node, functions.hidden_scores, keep, one, far)
    return made


def _finite(editor: GraphEditor, mask: torch.fx.Node) -> torch.fx.Node:
    """Return a constant mask without infinities, since a row of them alone gives no number."""
    stored = editor.value_of(mask)
    if stored is None or not stored.is_floating_point():
        return mask
    low = finite(-math.inf, stored.dtype) / 2
    return editor.constant(stored.clamp(min=low))


def _causal(editor: GraphEditor, tokens: int, length: int, node: torch.fx.Node) -> torch.fx.Node:
    import torch

    from model_profiling.models import export_friendly_functions as functions

    hidden = torch.full((tokens, length), functions.HIDDEN, dtype=node.meta["val"].dtype)
    return editor.constant(hidden.triu(diagonal=1))


REWRITE = Rewrite(
    name="attention",
    rank=30,
    replaces="aten.scaled_dot_product_attention, with masks, causal, with grouped heads",
    operators=("aten.scaled_dot_product_attention.default",),
    dtypes=FLOATS,
    bound=(1e-5, 5e-2),
    saves="About 20 operators of checks and masks around each attention, which split the graph at each of them.",
    edit=edit,
    hints=("attention",),
)
