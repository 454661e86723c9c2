# SPDX-License-Identifier: Apache-2.0
"""What may be behind a program that does not agree with its eager model, read from its graph."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from model_profiling.export.program_graph import graphs, is_work, lowered_modules
from model_profiling.models.graph_places import operator_of, source_of

if TYPE_CHECKING:
    import torch

_RANKING = re.compile(r"\.(topk|sort|argsort|argmax|argmin)\.")


def suspicion(graph_module: torch.fx.GraphModule, dtype: str) -> str:
    """Return what is known to go wrong in a lowered program of this recipe, "" where nothing is."""
    return _wrong_softmax(graph_module) or _ranking(graph_module, dtype)


def _wrong_softmax(graph_module: torch.fx.GraphModule) -> str:
    """Seen in ExecuTorch 1.5.1: after a convolution, whose results XNNPACK keeps channels-last, its
    softmax of a 4-D tensor runs over another dimension than asked for.
    """
    for lowered in lowered_modules(graph_module):
        nodes = [node for node in lowered.original_module.graph.nodes if is_work(node)]
        softmax = next(
            (node for node in nodes if "_softmax" in operator_of(node) and node.meta["val"].dim() == 4), None
        )
        if softmax and any("convolution" in operator_of(node) for node in nodes):
            return (
                "XNNPACK's softmax of a 4-D tensor after a convolution is wrong in this release: reshape to three "
                f"dimensions before it, at {source_of(softmax)}"
            )
    return ""


def _ranking(graph_module: torch.fx.GraphModule, dtype: str) -> str:
    for graph in graphs(graph_module):
        ranked = next((node for node in graph.nodes if is_work(node) and _RANKING.search(operator_of(node))), None)
        if ranked:
            return (
                f"the model ranks values ({operator_of(ranked)} at {source_of(ranked)}) and rounding changes the "
                "order of nearly equal ones: return the values unranked and rank them outside the model"
                + (", or try fp32, which rounds less" if dtype != "fp32" else "")
            )
    return ""
